import { chmodSync, chownSync, lstatSync, mkdirSync, rmdirSync, rmSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomically } from '../util/atomic-file.js';
import { runAll, type FailedCommand } from './apply.js';
import { SETUP_FILES, SETUP_UNITS } from './installed-files.js';
import {
  backupFile,
  DAEMON_USER,
  readBytes,
  sha256,
  withoutSetup,
  writtenFile,
  type Manifest,
  type RecordedFile,
} from './manifest.js';
import type { Command } from './plan.js';
import type { RunProgram } from './run-program.js';

/** What has happened to a file since setup wrote it. */
type Since =
  | { readonly is: 'unchanged' }
  /** The admin has removed it. */
  | { readonly is: 'removed' }
  /** The admin has changed other lines than setup; the text without what setup wrote. */
  | { readonly is: 'changed'; readonly text: string }
  /** The admin has changed lines that setup wrote. */
  | { readonly is: 'conflict' };

/** Looks at a file that existed before setup. */
function sinceSetup({ path, sha256: ours, before }: RecordedFile): Since {
  if (before === undefined) return { is: 'unchanged' };
  const bytes = readBytes(path);
  if (bytes === undefined) return { is: 'removed' };
  if ([ours, before.sha256].includes(sha256(bytes))) return { is: 'unchanged' };
  const text = withoutSetup(before.backup, bytes.toString('latin1'));
  return text === undefined ? { is: 'conflict' } : { is: 'changed', text };
}

/** What becomes of a file, for the admin. */
const OUTCOMES: Readonly<Record<Since['is'], string>> = {
  unchanged: 'becomes what it was',
  removed: 'stays removed, as you removed it after setup',
  changed: 'becomes what it was, with the changes that you made after setup',
  conflict: 'was changed in lines that setup wrote',
};

/** What undo will do, as text. */
export function undoText(manifest: Manifest): string {
  const { files, sysctl, restarted, started } = manifest;
  return [
    ...files.map(
      (file) => `${file.path} ${file.before === undefined ? 'is removed' : OUTCOMES[sinceSetup(file).is]}`,
    ),
    ...Object.entries(sysctl).map(([name, value]) => `net.mptcp.${name} becomes ${value} again`),
    ...started.map(({ unit }) => `${unit} ends: its clients are disconnected`),
    ...restarted.map((unit) => `${unit} restarts: its clients are disconnected once`),
    manifest.daemon.isActive ? 'subflowd restarts' : 'subflowd ends',
  ].join('\n');
}

/** The commands before and after the files are restored. */
export function undoCommands({ restarted, started, daemon, sysctl, members, hadUser }: Manifest): {
  readonly before: Command[];
  readonly after: Command[];
} {
  const units = (verb: string, names: readonly string[]): Command[] =>
    names.length === 0 ? [] : [['systemctl', verb, ...names]];
  const names = started.map(({ unit }) => unit);
  return {
    before: [
      daemon.isEnabled
        ? ['systemctl', 'stop', ...SETUP_UNITS]
        : ['systemctl', 'disable', '--now', ...SETUP_UNITS],
      ...(names.length === 0 ? [] : [['systemctl', 'disable', '--now', ...names] as const]),
      ...units('stop', restarted),
    ],
    after: [
      ...Object.entries(sysctl).map(([name, value]): Command => [
        'sysctl',
        '--quiet',
        '--write',
        `net.mptcp.${name}=${value}`,
      ]),
      ...members.map((user): Command => ['gpasswd', '--delete', user, DAEMON_USER]),
      ['systemctl', 'daemon-reload'],
      ...(daemon.isActive ? [['systemctl', 'start', ...SETUP_UNITS] as const] : []),
      ...units('start', restarted),
      ...(hadUser
        ? []
        : [
            ['userdel', DAEMON_USER] as const,
            ['userdel', 'subflowd-helper'] as const,
            ['groupdel', 'subflowd-hooks'] as const,
          ]),
    ],
  };
}

/**
 * Restores everything that setup changed. A file that setup made and that the admin changed is kept as a copy.
 * @throws {Error} naming the files in which the admin changed lines of setup; then nothing is changed.
 */
export async function undo(
  manifest: Manifest,
  run: RunProgram,
  report: (text: string) => void,
): Promise<FailedCommand[]> {
  const conflicts = manifest.files.filter((file) => sinceSetup(file).is === 'conflict');
  if (conflicts.length > 0) {
    const paths = conflicts.map(({ path }) => path).join(', ');
    const diffs = conflicts.map(({ path, before }) => `diff ${backupFile(before?.backup ?? '')} ${path}`);
    throw new Error(
      `changed since setup in lines that setup wrote, so nothing is undone: ${paths}\n` +
        `to fix it: copy the backup over each of them, then subflowd setup --undo, then make your change again. To see it:\n` +
        diffs.join('\n'),
    );
  }
  const { before, after } = undoCommands(manifest);
  const failed = await runAll(before, run, report);
  for (const file of manifest.files) restore(file, report);
  for (const link of manifest.links) if (isLink(link)) rmSync(link);
  for (const { ownFiles } of manifest.started) for (const file of ownFiles) rmSync(file, { force: true });
  for (const directory of manifest.directories.toReversed()) removeIfEmpty(directory);
  failed.push(...(await runAll(after, run, report)));
  for (const { before } of manifest.files) {
    if (before === undefined) continue;
    for (const file of [backupFile(before.backup), writtenFile(before.backup)]) rmSync(file, { force: true });
  }
  rmSync(backupFile('manifest.json'), { force: true });
  removeIfEmpty(SETUP_FILES.state);
  removeIfEmpty(dirname(SETUP_FILES.state));
  return failed;
}

function restore(file: RecordedFile, report: (text: string) => void): void {
  const { path, sha256: ours, before, isChanged } = file;
  if (before === undefined) {
    const bytes = readBytes(path);
    if (bytes !== undefined && (isChanged || sha256(bytes) !== ours))
      report(`${path} has changes of yours: a copy is kept as ${keep(path, bytes)}`);
    rmSync(path, { force: true });
    return;
  }
  const bytes = readBytes(backupFile(before.backup));
  if (bytes === undefined) throw new Error(`the backup of ${path} is missing: ${backupFile(before.backup)}`);
  const since = sinceSetup(file);
  if (since.is === 'removed') {
    report(`${path} stays removed: a copy of what it was is kept as ${keep(path, bytes)}`);
    return;
  }
  const isMerged = since.is === 'changed';
  writeFileAtomically(path, isMerged ? Buffer.from(since.text, 'latin1') : bytes, before.mode);
  if (isMerged) {
    report(`${path} keeps the changes that you made after setup`);
    return;
  }
  chmodSync(path, before.mode);
  chownSync(path, before.uid, before.gid);
  utimesSync(path, before.mtime / 1000, before.mtime / 1000);
}

/** Keeps a copy of a file that undo removes. @returns its path. */
function keep(path: string, bytes: Uint8Array): string {
  const directory = join(SETUP_FILES.state, 'kept');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const copy = join(directory, basename(path));
  writeFileAtomically(copy, bytes, 0o600);
  return copy;
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody else has files there, or has removed it.
  }
}
