import { chmod, chown, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { prefixOf } from './addresses.js';
import type { PathOptions } from './network.js';

/** Debian's `nobody`, the user that OpenVPN becomes. */
const nobody = 65534;

/** The files that OpenVPN and subflowd share: the ini file, the records of the hooks, the management interface. */
export interface SidecarFiles {
  /** Path of subflowd.ini. */
  readonly config: string;
  /** Path of the management console's socket. */
  readonly console: string;
  /** Path of OpenVPN's management interface. */
  readonly management: string;
  readonly passwordFile: string;
  readonly events: string;
  /** The keys in `[kernel]`; none by default. */
  readonly kernel?: KernelLines;
}

/** `[kernel]` */
export interface KernelLines {
  readonly backend?: 'devmem' | 'netlink' | undefined;
  /** File that `subflowd layout` made, for a kernel without BTF. */
  readonly layout?: string | undefined;
}

/** Creates the directories and the password file in a directory. {@link writeRules} writes the ini file. */
export async function makeSidecarFiles(directory: string, kernel: KernelLines = {}): Promise<SidecarFiles> {
  // Only root may use the directory that mkdtemp creates, but the hooks run as nobody.
  await chmod(directory, 0o755);
  const events = path.join(directory, 'events');
  await mkdir(path.join(events, 'nobody'), { recursive: true });
  await chown(path.join(events, 'nobody'), nobody, nobody);
  const passwordFile = path.join(directory, 'management.password');
  await writeFile(passwordFile, 'lab password\n', { mode: 0o600 });
  return {
    config: path.join(directory, 'subflowd.ini'),
    console: path.join(directory, 'console.sock'),
    management: path.join(directory, 'management.sock'),
    passwordFile,
    events,
    kernel,
  };
}

/** Path of the file with what clients carried against their quotas. */
export function quotasFile({ config }: Pick<SidecarFiles, 'config'>): string {
  return path.join(path.dirname(config), 'quotas.json');
}

/** Further lines of the config. */
export interface MoreLines {
  /** Further lines of a path's section. */
  readonly path?: (path: PathOptions) => readonly string[];
  /** Further sections, each with its header. */
  readonly sections?: readonly (readonly string[])[];
  /** Further lines of the server's section. */
  readonly server?: readonly string[];
}

/**
 * Writes subflowd.ini as an editor does: a new file replaces the old one.
 * @param rules the paths, first choice first, by the pattern in `[client PATTERN]`.
 */
export async function writeRules(
  files: SidecarFiles,
  paths: readonly PathOptions[],
  rules: Readonly<Record<string, string>>,
  more: MoreLines = {},
): Promise<void> {
  const sections = [
    [
      '[openvpn lab]',
      `management = ${files.management}`,
      `password-file = ${files.passwordFile}`,
      `events = ${files.events}`,
      ...(more.server ?? []),
    ],
    [
      '[console]',
      `socket = ${files.console}`,
      `overrides = ${path.join(path.dirname(files.config), 'overrides.json')}`,
      `quotas = ${quotasFile(files)}`,
    ],
    kernelSection(files.kernel),
    ...paths.map((one) => [
      `[path ${one.name}]`,
      `prefix = ${prefixOf(one).v4}, ${prefixOf(one).v6}`,
      ...(more.path?.(one) ?? []),
    ]),
    ...Object.entries(rules).map(([glob, primary]) => [`[client ${glob}]`, `primary = ${primary}`]),
    ...(more.sections ?? []),
  ];
  const text = sections.map((lines) => `${lines.join('\n')}\n`).join('\n');
  await writeFile(`${files.config}.new`, text);
  await rename(`${files.config}.new`, files.config);
}

function kernelSection(kernel: KernelLines = {}): string[] {
  const lines = Object.entries(kernel).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key} = ${value}`],
  );
  return ['[kernel]', ...lines];
}
