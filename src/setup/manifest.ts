import { createHash } from 'node:crypto';
import { chownSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { userNumber } from '../util/accounts.js';
import { writeFileAtomically } from '../util/atomic-file.js';
import { hasCode } from '../util/errno.js';
import { SETUP_FILES } from './installed-files.js';
import { merge } from './merge.js';

/** How a file was before setup changed it. */
const fileBefore = z.object({
  /** Its name among the backups. */
  backup: z.string(),
  sha256: z.string(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  /** Milliseconds. */
  mtime: z.number(),
});

const manifest = z.object({
  version: z.literal(1),
  files: z.array(
    z.object({
      path: z.string(),
      /** Of what setup wrote last. */
      sha256: z.string(),
      /** Absent: setup made the file. */
      before: fileBefore.optional(),
      /** Whether the admin changed the file, which setup had made, before setup wrote it once more. */
      isChanged: z.boolean().optional(),
    }),
  ),
  /** Directories that setup made, the inner ones last. */
  directories: z.array(z.string()),
  /** The values below net.mptcp before setup changed them. */
  sysctl: z.record(z.string(), z.string()),
  /** Running units that setup restarted. */
  restarted: z.array(z.string()),
  /** Units that setup started, and what they write. */
  started: z.array(z.object({ unit: z.string(), ownFiles: z.array(z.string()) })),
  daemon: z.object({ isActive: z.boolean(), isEnabled: z.boolean() }),
  /** Users that setup made members of the group subflowd. */
  members: z.array(z.string()),
  /** Links where management sockets were. */
  links: z.array(z.string()).default([]),
  /** Whether the user subflowd existed before. */
  hadUser: z.boolean(),
});

/** What setup did, so that it can be undone. */
export type Manifest = z.infer<typeof manifest>;
export type RecordedFile = Manifest['files'][number];

/** Only root may read the backups: configs can contain keys. */
const PRIVATE = 0o700;
/** The user of the daemon. */
export const DAEMON_USER = 'subflowd';

function manifestFile(): string {
  return join(SETUP_FILES.state, 'manifest.json');
}

/** Path of a backup. */
export function backupFile(name: string): string {
  return join(SETUP_FILES.state, name);
}

/** Path of what setup wrote last to a file, by the name of its backup: so that later changes of the admin can be told apart. */
export function writtenFile(backup: string): string {
  return `${backupFile(backup)}.written`;
}

/**
 * The present text of a file without what setup wrote there, and with what the admin has changed since.
 * @param present each character is one byte, also of the result.
 * @returns undefined if the admin has changed the same lines.
 */
export function withoutSetup(backup: string, present: string): string | undefined {
  const written = readBytes(writtenFile(backup))?.toString('latin1');
  const before = readBytes(backupFile(backup))?.toString('latin1');
  if (written === undefined || before === undefined) return undefined;
  return merge(written, before, present);
}

/** The hash by which changes are noticed. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The bytes of a file; undefined if it does not exist. */
export function readBytes(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Reads the manifest; undefined if setup has changed nothing.
 * @throws {Error} if somebody else than root could have written it.
 */
export function readManifest(): Manifest | undefined {
  const bytes = readBytes(manifestFile());
  if (bytes === undefined) return undefined;
  // The directory above belongs to the user of the daemon, who must not choose what root restores.
  for (const path of [SETUP_FILES.state, manifestFile()]) {
    const { uid, mode } = lstatSync(path);
    if (uid !== 0 || (mode & 0o022) !== 0)
      throw new Error(
        `${path} does not belong to root alone, so it is not trusted: chown it, and chmod go-w`,
      );
  }
  return manifest.parse(JSON.parse(bytes.toString()));
}

/** Writes the manifest, and makes its directory. */
export function writeManifest(content: Manifest): void {
  makeStateDirectory();
  writeFileAtomically(manifestFile(), `${JSON.stringify(content, null, 2)}\n`, 0o600);
}

/**
 * Makes the directory of the backups. The directory above gets the owner that systemd would give it: otherwise systemd gives
 * everything in it to that owner (`path_chown_recursive`).
 */
export function makeStateDirectory(): void {
  const above = dirname(SETUP_FILES.state);
  const isNew = statSync(above, { throwIfNoEntry: false }) === undefined;
  mkdirSync(above, { recursive: true, mode: 0o755 });
  const user = userNumber(DAEMON_USER);
  if (isNew && user !== undefined) chownSync(above, user, user);
  mkdirSync(SETUP_FILES.state, { recursive: true, mode: PRIVATE });
}

/** A manifest in which nothing is recorded. */
export function emptyManifest(daemon: Manifest['daemon']): Manifest {
  return {
    version: 1,
    files: [],
    directories: [],
    sysctl: {},
    restarted: [],
    started: [],
    daemon,
    members: [],
    links: [],
    hadUser: userNumber(DAEMON_USER) !== undefined,
  };
}
