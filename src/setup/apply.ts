import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomically } from '../util/atomic-file.js';
import {
  backupFile,
  emptyManifest,
  makeStateDirectory,
  readBytes,
  readManifest,
  sha256,
  withoutSetup,
  writeManifest,
  type Manifest,
  type RecordedFile,
  writtenFile,
} from './manifest.js';
import { commandsOf, type Command, type FileChange, type Plan } from './plan.js';
import type { RunProgram } from './run-program.js';

/** A command that failed. */
export interface FailedCommand {
  readonly command: Command;
  readonly output: string;
}

/**
 * Makes the changes of a plan: backups and manifest first, so that an end at any moment can be undone; then the files; then
 * the commands. A command that fails does not stop the others: a server that was stopped must start again.
 * @param mptcp the present values below net.mptcp.
 * @param report called with each command before it runs.
 */
export async function apply(
  plan: Plan,
  mptcp: Readonly<Record<string, string>>,
  run: RunProgram,
  report: (text: string) => void,
): Promise<FailedCommand[]> {
  makeStateDirectory();
  writeManifest(record(plan, mptcp, readManifest() ?? emptyManifest(plan.daemon)));
  for (const { path, text, mode, before } of plan.changes) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileAtomically(path, Buffer.from(text, 'latin1'), mode);
    // The mode of a new file does not depend on the umask of the admin.
    if (before === undefined) chmodSync(path, mode);
  }
  return runAll(commandsOf(plan), run, report);
}

/** Runs commands one after the other. */
export async function runAll(
  commands: readonly Command[],
  run: RunProgram,
  report: (text: string) => void,
): Promise<FailedCommand[]> {
  const failed: FailedCommand[] = [];
  for (const command of commands) {
    report(command.join(' '));
    const [program, ...args] = command;
    const { status, output } = await run(program, args);
    if (status !== 0) failed.push({ command, output: output.trim() });
  }
  return failed;
}

/** Adds to a manifest what a plan changes, and makes the backups. What an earlier setup recorded stays. */
function record(plan: Plan, mptcp: Readonly<Record<string, string>>, earlier: Manifest): Manifest {
  const files = new Map(earlier.files.map((file) => [file.path, file]));
  for (const change of plan.changes) {
    const known = files.get(change.path);
    const isChanged =
      known !== undefined &&
      (known.isChanged === true || known.sha256 !== sha256(Buffer.from(change.before ?? '', 'latin1')));
    const before = known === undefined ? backUp(change, files.size) : beforeSetup(known, change);
    if (before) writeFileAtomically(writtenFile(before.backup), Buffer.from(change.text, 'latin1'), 0o600);
    files.set(change.path, {
      path: change.path,
      sha256: sha256(Buffer.from(change.text, 'latin1')),
      ...(before ? { before } : isChanged && { isChanged }),
    });
  }
  const directories = new Set(earlier.directories);
  for (const { path } of plan.changes) for (const each of missingDirectories(path)) directories.add(each);
  const sysctl = { ...earlier.sysctl };
  for (const [name] of plan.sysctl) sysctl[name] ??= mptcp[name] ?? '';
  const started = new Map(earlier.started.map((each) => [each.unit, each]));
  for (const { unit, ownFiles } of plan.newUnits) started.set(unit, { unit, ownFiles: [...ownFiles] });
  const restarted = [...new Set([...earlier.restarted, ...plan.restarts])].filter(
    (unit) => !started.has(unit),
  );
  return {
    ...earlier,
    files: [...files.values()],
    directories: [...directories],
    sysctl,
    restarted,
    started: [...started.values()],
    members: [...new Set([...earlier.members, ...plan.consoleUsers])],
    links: [...new Set([...earlier.links, ...plan.changes.flatMap(({ link }) => link ?? [])])],
  };
}

function backUp({ path, before }: FileChange, index: number): RecordedFile['before'] {
  if (before === undefined) return undefined;
  const bytes = readBytes(path);
  if (bytes === undefined) throw new Error(`${path} is gone: run subflowd setup again`);
  const backup = `${String(index).padStart(4, '0')}.backup`;
  writeFileAtomically(backupFile(backup), bytes, 0o600);
  const { mode, uid, gid, mtimeMs } = statSync(path);
  return { backup, sha256: sha256(bytes), mode: mode & 0o7777, uid, gid, mtime: mtimeMs };
}

/**
 * What undo restores of a file that an earlier setup has changed: what was there before, with the changes that the admin has made
 * since.
 * @throws {Error} if they are in lines that setup wrote.
 */
function beforeSetup({ before }: RecordedFile, change: FileChange): RecordedFile['before'] {
  if (before === undefined) return undefined;
  const restored = withoutSetup(before.backup, change.before ?? '');
  if (restored === undefined)
    throw new Error(
      `${change.path} was changed in lines that setup wrote, so nothing is done: subflowd setup --undo says how to go on`,
    );
  const bytes = Buffer.from(restored, 'latin1');
  writeFileAtomically(backupFile(before.backup), bytes, 0o600);
  return { ...before, sha256: sha256(bytes) };
}

/** The directories of a file that do not exist, the outer ones first. */
function missingDirectories(path: string): string[] {
  const directory = dirname(path);
  return existsSync(directory) ? [] : [...missingDirectories(directory), directory];
}
