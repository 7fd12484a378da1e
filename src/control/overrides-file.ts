import { existsSync, linkSync, renameSync, statSync } from 'node:fs';
import { z } from 'zod';
import { whyUnreadable } from '../util/denied.js';
import { readRegularFileSync } from '../util/regular-file.js';
import type { Overrides } from '../steering/rule.js';

const FILE_SCHEMA = z.object({ version: z.literal(1), overrides: z.record(z.string(), z.string()) });

/** Largest file of overrides, bytes: some hundred thousand overrides. */
export const MAX_FILE_BYTES = 1 << 24;
/** The most damaged files that are kept. A further one replaces the last of them. */
export const MAX_SET_ASIDE = 10;

/** What an admin should do after a damaged file was renamed. */
export const HOW_TO_FIX = 'set the missing overrides again, then remove that file';

/** The overrides in a file, or why it cannot be used. */
export type ReadResult =
  | { readonly overrides: Overrides }
  /** `damaged`: its content is not a list of overrides; `unreadable`: its content is not known. */
  | { readonly state: 'damaged' | 'unreadable'; readonly problem: string };

/** Reads a file of overrides. If there is no such file, there are no overrides. */
export function readOverrides(file: string): ReadResult {
  let bytes: Buffer;
  try {
    bytes = readRegularFileSync(file, MAX_FILE_BYTES);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { overrides: new Map() };
    return { state: 'unreadable', problem: whyUnreadable(file, error) };
  }
  const parsed = FILE_SCHEMA.safeParse(parseJson(bytes.toString('utf8')));
  if (!parsed.success) return { state: 'damaged', problem: `${file} is not a file of overrides` };
  return { overrides: new Map(Object.entries(parsed.data.overrides)) };
}

/**
 * The text of a file with these overrides.
 * @throws {Error} if it is larger than {@link MAX_FILE_BYTES}.
 */
export function formatOverrides(overrides: Overrides): string {
  const text = JSON.stringify({ version: 1, overrides: Object.fromEntries(overrides) });
  if (Buffer.byteLength(text) <= MAX_FILE_BYTES) return text;
  throw new Error(`${overrides.size} overrides do not fit in a file of 16 MiB; remove some with auto`);
}

/** The path of the copy of a file of overrides. */
export function copyOf(file: string): string {
  return `${file}.copy`;
}

/**
 * Keeps a file that could not be read under another name, so that a new one can replace it. Until then the file has both
 * names, so it is still there if the daemon is killed meanwhile.
 * @returns the other name; undefined if there is no such file.
 * @throws {Error} if the file system refuses that.
 */
export function setAside(file: string): string | undefined {
  const inode = inodeOf(file);
  if (inode === undefined) return undefined;
  const names = namesAside(file);
  const presentName = names.find((name) => inodeOf(name) === inode);
  if (presentName !== undefined) return presentName;
  const newName = names.find((name) => !existsSync(name)) ?? `${file}.damaged.${MAX_SET_ASIDE}`;
  try {
    linkSync(file, newName);
  } catch {
    // All names are used, or this file system has no hard links.
    renameSync(file, newName);
  }
  return newName;
}

/** Files that were renamed and still exist. */
export function foundAside(file: string): string[] {
  return namesAside(file).filter((name) => existsSync(name));
}

/** Whether a file has a name of {@link setAside} already, and keeps its own until a new one replaces it. */
export function isSetAside(file: string): boolean {
  const inode = inodeOf(file);
  return inode !== undefined && namesAside(file).some((name) => inodeOf(name) === inode);
}

/** Problems with a file of overrides and the renamed files beside it, each with its remedy. Changes nothing. */
export function inspectOverrides(file: string): { readonly problem: string; readonly remedy: string }[] {
  const found = readOverrides(file);
  const restart = 'systemctl restart subflowd renames it and uses its copy';
  const replace = 'replace it with a regular file that subflowd can read, or set [console] overrides';
  return [
    ...('overrides' in found
      ? []
      : [{ problem: found.problem, remedy: found.state === 'damaged' ? restart : replace }]),
    ...foundAside(file).map((name) => ({
      problem: `a file of overrides that could not be read was renamed to ${name}`,
      remedy: `with subflowd primary, set its overrides that \`subflowd rules\` does not show; then: rm ${name}`,
    })),
  ];
}

/** The problem that an admin reads about a file that was renamed. */
export function asideText(name: string): string {
  return `a file of overrides that could not be read was renamed to ${name}: ${HOW_TO_FIX}`;
}

/** The names that renamed files can have: `FILE.damaged`, `FILE.damaged.2`, and so on. */
function namesAside(file: string): string[] {
  return Array.from(
    { length: MAX_SET_ASIDE },
    (_, index) => `${file}.damaged${index === 0 ? '' : `.${index + 1}`}`,
  );
}

/** The inode of a regular file; undefined if there is none. */
function inodeOf(file: string): number | undefined {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.ino : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
