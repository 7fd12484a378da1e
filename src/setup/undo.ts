import { chmodSync, chownSync, mkdirSync, rmdirSync, rmSync, utimesSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomically } from '../util/atomic-file.js';
import { runAll, type FailedCommand } from './apply.js';
import { SETUP_FILES } from './installed-files.js';
import { backupFile, DAEMON_USER, readBytes, sha256, type Manifest } from './manifest.js';
import type { Command } from './plan.js';
import type { RunProgram } from './run-program.js';

type RecordedFile = Manifest['files'][number];

/** The files that existed before and that somebody has changed since setup wrote them. */
export function changedSince({ files }: Manifest): string[] {
  return files
    .filter(({ path, sha256: ours, before }) => {
      if (before === undefined) return false;
      const bytes = readBytes(path);
      const now = bytes === undefined ? undefined : sha256(bytes);
      return now !== ours && now !== before.sha256;
    })
    .map(({ path }) => path);
}

/** What undo will do, as text. */
export function undoText(manifest: Manifest): string {
  const { files, sysctl, restarted, started } = manifest;
  return [
    ...files.map(({ path, before }) =>
      before === undefined ? `${path} is removed` : `${path} becomes what it was`,
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
      daemon.isEnabled ? ['systemctl', 'stop', DAEMON_USER] : ['systemctl', 'disable', '--now', DAEMON_USER],
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
      ...(daemon.isActive ? [['systemctl', 'start', DAEMON_USER] as const] : []),
      ...units('start', restarted),
      ...(hadUser ? [] : [['userdel', DAEMON_USER] as const, ['groupdel', 'subflowd-hooks'] as const]),
    ],
  };
}

/**
 * Restores everything that setup changed. A file that setup made and that the admin changed is kept as a copy.
 * @throws {Error} naming the files that existed before and were changed since; then nothing is changed.
 */
export async function undo(
  manifest: Manifest,
  run: RunProgram,
  report: (text: string) => void,
): Promise<FailedCommand[]> {
  const changed = changedSince(manifest);
  if (changed.length > 0) {
    const commands = manifest.files
      .filter(({ path }) => changed.includes(path))
      .map(({ path, before }) => `diff ${backupFile(before?.backup ?? '')} ${path}`);
    throw new Error(
      `changed since setup, so nothing is undone: ${changed.join(', ')}\n` +
        `to fix it: copy the backup over each of them, then subflowd setup --undo, then make your change again. To see it:\n` +
        commands.join('\n'),
    );
  }
  const { before, after } = undoCommands(manifest);
  const failed = await runAll(before, run, report);
  for (const file of manifest.files) restore(file, report);
  for (const { ownFiles } of manifest.started) for (const file of ownFiles) rmSync(file, { force: true });
  for (const directory of manifest.directories.toReversed()) removeIfEmpty(directory);
  failed.push(...(await runAll(after, run, report)));
  for (const { before } of manifest.files) if (before) rmSync(backupFile(before.backup), { force: true });
  rmSync(backupFile('manifest.json'), { force: true });
  removeIfEmpty(SETUP_FILES.state);
  removeIfEmpty(dirname(SETUP_FILES.state));
  return failed;
}

function restore({ path, sha256: ours, before }: RecordedFile, report: (text: string) => void): void {
  if (before === undefined) {
    const bytes = readBytes(path);
    if (bytes !== undefined && sha256(bytes) !== ours) {
      const kept = join(SETUP_FILES.state, 'kept', basename(path));
      mkdirSync(join(SETUP_FILES.state, 'kept'), { recursive: true, mode: 0o700 });
      writeFileAtomically(kept, bytes, 0o600);
      report(`${path} has changes of yours: a copy is kept as ${kept}`);
    }
    rmSync(path, { force: true });
    return;
  }
  const bytes = readBytes(backupFile(before.backup));
  if (bytes === undefined) throw new Error(`the backup of ${path} is missing: ${backupFile(before.backup)}`);
  writeFileAtomically(path, bytes, before.mode);
  chmodSync(path, before.mode);
  chownSync(path, before.uid, before.gid);
  utimesSync(path, before.mtime / 1000, before.mtime / 1000);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // Somebody else has files there, or has removed it.
  }
}
