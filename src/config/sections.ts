import { z } from 'zod';

import { BACKEND_NAMES } from '../model/backend-name.js';
import { MODES } from '../model/mode.js';
import { readListen, readManagement } from './management.js';
import { readPrefix } from './prefix.js';
import { countReader, readCost, readPercent, readRate, timeReader } from './quantity.js';
import { readAbsolutePath, readPasswordPath, readSocketPath } from './socket-path.js';
import { ValueError } from './value-error.js';

/** A schema from a value's text; every ValueError that reading it throws becomes an issue. */
function text<T>(read: (text: string) => T) {
  return z.string().transform((value, context): T => {
    try {
      return read(value);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });
}

/** A schema from `a, b, c`: every item is read by itself, so that all bad ones are told at once. */
function list<T>(read: (text: string) => T) {
  return z.string().transform((value, context): T[] => {
    const items: T[] = [];
    for (const item of value.split(',')) {
      try {
        if (item.trim() === '') throw new ValueError('nothing stands before, behind or between its commas');
        items.push(read(item.trim()));
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
      }
    }
    return items;
  });
}

function oneOf<const T extends string>(...known: readonly T[]) {
  return text((value): T => {
    const found = known.find((word) => word === value);
    if (found === undefined) throw new ValueError(`\`${value}\` is not known; known: ${known.join(', ')}`);
    return found;
  });
}

/** `btf`, or the absolute path of a layout. */
function readLayout(value: string): string {
  if (value === 'btf') return value;
  if (!value.startsWith('/')) throw new ValueError(`\`${value}\` is neither btf nor an absolute path`);
  return readAbsolutePath(value);
}

function readMode(value: string): number {
  const digits = /^(?:0o?)?([0-7]{1,3})$/.exec(value)?.[1];
  if (digits === undefined) {
    throw new ValueError(`\`${value}\` is no mode; write it in octal, from 0000 to 0777, e.g. 0660`);
  }
  return Number.parseInt(digits, 8);
}

/** What useradd(8) takes for a name on Debian, at most 32 bytes. */
function readGroup(value: string): string {
  if (!/^[a-z_][\w.-]{0,31}$/i.test(value)) throw new ValueError(`\`${value}\` is no group's name`);
  return value;
}

/** A user's name, as {@link readGroup}, or number. */
function readUser(value: string): string {
  if (!/^(?:\d{1,10}|[a-z_][\w.-]{0,31})$/i.test(value))
    throw new ValueError(`\`${value}\` is no user's name`);
  return value;
}

/**
 * Names of servers and paths are typed on command lines and stand in comma lists.
 * @throws {ValueError}
 */
export function readName(value: string): string {
  if (!/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.@+-]{0,63}$/u.test(value)) {
    throw new ValueError(
      `\`${value}\` is no name; it has 1 to 64 letters, digits and _ . @ + -, the first a letter, a digit or _`,
    );
  }
  return value;
}

/**
 * A path's name: any name but `auto`, which on the command line takes an override back.
 * @throws {ValueError}
 */
export function readPathName(value: string): string {
  if (value === 'auto') throw new ValueError('no path can be named `auto`: that word takes an override back');
  return readName(value);
}

const pathNames = z.string().transform((value, context): string[] => {
  if (value.trim() === '') return [];
  const names = value.split(',').map((name) => name.trim());
  if (names.includes('')) {
    context.addIssue({ code: 'custom', message: 'a path is missing before, behind or between its commas' });
  }
  const seen = new Set<string>();
  for (const name of names) {
    if (name !== '' && seen.has(name)) {
      context.addIssue({ code: 'custom', message: `\`${name}\` stands there twice` });
    }
    seen.add(name);
  }
  return names;
});

const rule = z.object({
  mode: oneOf(...MODES).default('active-standby'),
  primary: pathNames.optional(),
  allowed: pathNames.optional(),
  'min-rate': text(readRate).optional(),
  cost: list(readCost).optional(),
  'peer-backup': oneOf('respect', 'override').default('respect'),
});

/** What is right for some hundred clients whose rates are measured each second. */
const steering = z.object({
  'dry-run': oneOf('yes', 'no').default('no'),
  interval: text(timeReader(100, 60_000)).default(1000),
  dwell: text(timeReader(0, 86_400_000)).default(10_000),
  moves: text(countReader(1, 10_000)).default(32),
  gain: text(readPercent).default(0.04),
  'max-subflows': text(countReader(2, 64)).default(8),
});

/** The keys of every kind of section; the only place that knows them and their defaults. */
export const sections = {
  openvpn: z.object({
    management: text(readManagement).optional(),
    'password-file': text(readPasswordPath).optional(),
    'management-user': text(readUser).optional(),
    events: text(readAbsolutePath).default('/run/subflowd/events'),
    console: text(readSocketPath).optional(),
    'console-listen': text(readListen).optional(),
    'console-password-file': text(readPasswordPath).optional(),
    'console-hangup': oneOf('yes', 'no').default('no'),
  }),
  kernel: z.object({
    backend: oneOf('auto', ...BACKEND_NAMES).default('auto'),
    layout: text(readLayout).default('btf'),
  }),
  console: z.object({
    socket: text(readSocketPath).default('/run/subflowd/console.sock'),
    mode: text(readMode).default(0o660),
    group: text(readGroup).optional(),
    overrides: text(readAbsolutePath).default('/var/lib/subflowd/overrides.json'),
  }),
  path: z.object({
    /** One item per line. */
    prefix: z.array(list(readPrefix), { error: 'needs a `prefix`, e.g. prefix = 192.0.2.0/24' }),
    capacity: text(readRate).optional(),
  }),
  client: rule,
  default: rule,
  steering,
};

export type SectionKind = keyof typeof sections;

/** How each kind of section is written. */
export const sectionForms: Record<SectionKind, string> = {
  openvpn: '[openvpn NAME]',
  kernel: '[kernel]',
  console: '[console]',
  path: '[path NAME]',
  client: '[client GLOB]',
  default: '[default]',
  steering: '[steering]',
};
