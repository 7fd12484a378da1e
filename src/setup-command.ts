import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DEFAULT_CONFIG_FILE } from './config/config-text.js';
import { checkText } from './doctor/check-text.js';
import { examine } from './doctor/doctor.js';
import { EXIT_NO, print, printNote } from './output.js';
import { setup, undoSetup } from './setup/setup.js';

/** The options of `subflowd setup`. */
export interface SetupFlags {
  readonly server?: string;
  readonly observe?: true;
  readonly steer?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly undo?: true;
}

/** Runs `subflowd setup`. Sets the exit code. */
export async function runSetup(options: SetupFlags): Promise<void> {
  const dialogue = { print, printChecks, confirm: options.yes ? () => Promise.resolve(true) : confirm };
  const dryRun = options.observe ? 'observe' : options.steer ? 'steer' : undefined;
  const isDryRun = options.dryRun === true;
  const { server } = options;
  const result = options.undo
    ? await undoSetup(isDryRun, dialogue)
    : await setup(
        { ...(server !== undefined && { server }), ...(dryRun !== undefined && { dryRun }) },
        isDryRun,
        dialogue,
      );
  if (result === 'failed' || (result === 'not confirmed' && !options.dryRun)) process.exitCode = EXIT_NO;
}

/** Asks a question on the terminal; without one, the answer is no. */
async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    printNote('nothing is changed, because nobody can be asked here; to change it without a question: --yes');
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** How often the checks after a setup are made, with a second between: a server needs some seconds to start. */
const CHECK_TRIES = 10;

/** Prints what doctor finds, once everything has started or the time is over. */
async function printChecks(): Promise<void> {
  for (let tried = 1; ; tried++) {
    const checks = await examine(DEFAULT_CONFIG_FILE);
    const isWaiting = checks.some(
      ({ name, verdict }) => verdict === 'bad' || (name === 'daemon' && verdict !== 'ok'),
    );
    if (isWaiting && tried < CHECK_TRIES) {
      await sleep(1000);
      continue;
    }
    print(checks.map(checkText).join('\n'));
    return;
  }
}
