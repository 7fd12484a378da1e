import { isListedMember, groupNumber } from '../util/groups.js';
import { apply, type FailedCommand } from './apply.js';
import { decide } from './decide.js';
import type { HostFacts, SetupOptions } from './facts.js';
import { findHost } from './find-host.js';
import { readText } from './find-servers.js';
import { DAEMON_USER, readManifest } from './manifest.js';
import { isEmpty, makePlan, type Plan } from './plan.js';
import { runProgram } from './run-program.js';
import { foundText, nextStepsText, planText } from './show.js';
import { undo, undoText } from './undo.js';

/** How setup talks to the admin. */
export interface SetupDialogue {
  readonly print: (text: string) => void;
  /** Asks a question; whether the answer is yes. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Prints the checks of doctor. */
  readonly printChecks: () => Promise<void>;
}

/** How a run of setup ended. */
export type SetupResult = 'nothing to do' | 'not confirmed' | 'done' | 'failed';

/** Finds, decides, shows, asks, and changes. @param isDryRun only shows. */
export async function setup(
  options: SetupOptions,
  isDryRun: boolean,
  { print, confirm, printChecks }: SetupDialogue,
): Promise<SetupResult> {
  requireRoot();
  const facts = await findHost(runProgram);
  const plan = planFor(facts, options);
  print([foundText(facts.servers), planText(plan)].filter((text) => text !== '').join('\n\n'));
  if (isEmpty(plan)) return plan.obstacles.length > 0 ? 'failed' : 'nothing to do';
  if (isDryRun) return 'not confirmed';
  if (!(await confirm('Make these changes?'))) return 'not confirmed';
  const failed = await apply(plan, facts.mptcp, runProgram, print);
  printFailures(failed, print);
  print(
    failed.length > 0
      ? 'not everything is done; when the fault is gone: subflowd setup; to go back: subflowd setup --undo'
      : 'done; to undo it: subflowd setup --undo',
  );
  await printChecks();
  print(nextStepsText(plan));
  return failed.length > 0 ? 'failed' : 'done';
}

/** Undoes what setup changed. @param isDryRun only shows. */
export async function undoSetup(isDryRun: boolean, { print, confirm }: SetupDialogue): Promise<SetupResult> {
  requireRoot();
  const manifest = readManifest();
  if (manifest === undefined) {
    print('nothing to undo: setup has changed nothing here');
    return 'nothing to do';
  }
  print(undoText(manifest));
  if (isDryRun) return 'not confirmed';
  if (!(await confirm('Undo all of this?'))) return 'not confirmed';
  const failed = await undo(manifest, runProgram, print);
  printFailures(failed, print);
  print(failed.length > 0 ? 'undone, but these commands failed' : 'undone');
  return failed.length > 0 ? 'failed' : 'done';
}

function planFor(facts: HostFacts, options: SetupOptions): Plan {
  const group = groupNumber(DAEMON_USER);
  const isMember = (user: string) => group !== undefined && isListedMember(user, group);
  return makePlan(decide(facts, options), facts, readText, isMember);
}

function printFailures(failed: readonly FailedCommand[], print: (text: string) => void): void {
  for (const { command, output } of failed)
    print(`failed: ${command.join(' ')}: ${Buffer.from(output, 'latin1').toString()}`);
}

function requireRoot(): void {
  if (process.geteuid?.() !== 0) throw new Error('setup changes files of root: run it with sudo');
}
