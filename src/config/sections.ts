import { z } from 'zod';

import { BACKEND_NAMES } from '../model/backend-name.js';
import { DEFAULT_MODE, MODES } from '../model/mode.js';
import { hint } from '../util/nearest.js';
import { MAX_ANNOUNCED, readAnnounced } from './announce.js';
import { DEFAULT_CONSOLE_SOCKET } from './console-sockets.js';
import { readListen, readManagement } from './management.js';
import { readGroup, readUser } from './names.js';
import { readPrefix } from './prefix.js';
import { countReader, readCost, readPercent, readRate, timeReader } from './quantity.js';
import { readQuota } from './quota.js';
import { readAbsolutePath, readPasswordPath, readSocketPath } from './absolute-path.js';
import { ValueError } from './value-error.js';

/** A schema for one value. A {@link ValueError} that `read` throws becomes an issue. */
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

/** A schema for `a, b, c`. Each item is read by itself, so that all wrong ones are reported together. */
function list<T>(read: (text: string) => T) {
  return z.string().transform((value, context): T[] => {
    const items: T[] = [];
    for (const item of value.split(',')) {
      try {
        if (item.trim() === '') throw new ValueError('an item beside a comma is empty');
        items.push(read(item.trim()));
      } catch (error) {
        if (!(error instanceof ValueError)) throw error;
        context.addIssue({ code: 'custom', message: error.message });
      }
    }
    return items;
  });
}

/** A schema for `a, b, c` in which each item comes once, of at most `most` items. */
function set<T extends string | number>(read: (text: string) => T, most: number) {
  return list(read).superRefine((items, context) => {
    const seen = new Set<T>();
    for (const item of items) {
      if (seen.has(item)) context.addIssue({ code: 'custom', message: `\`${item}\` is listed twice` });
      seen.add(item);
    }
    if (seen.size > most) {
      context.addIssue({ code: 'custom', message: `it lists ${seen.size}; ${most} are read at most` });
    }
  });
}

function oneOf<const T extends string>(...known: readonly T[]) {
  return text((value): T => {
    const found = known.find((word) => word === value);
    if (found === undefined)
      throw new ValueError(`\`${value}\` is not known${hint(value, known)}; known: ${known.join(', ')}`);
    return found;
  });
}

/** `btf`, or the absolute path of a layout. */
function readLayout(value: string): string {
  if (value === 'btf') return value;
  if (!value.startsWith('/')) throw new ValueError(`\`${value}\` is neither btf nor an absolute path`);
  return readAbsolutePath(value);
}

function readPermissions(value: string): number {
  const digits = /^(?:0o?)?([0-7]{1,3})$/.exec(value)?.[1];
  if (digits === undefined) {
    throw new ValueError(`\`${value}\` is not a mode; write it in octal, from 0000 to 0777, e.g. 0660`);
  }
  return Number.parseInt(digits, 8);
}

const pathNames = z.string().transform((value, context): string[] => {
  if (value.trim() === '') return [];
  const names = value.split(',').map((name) => name.trim());
  if (names.includes('')) {
    context.addIssue({ code: 'custom', message: 'a path beside a comma is missing' });
  }
  const seen = new Set<string>();
  for (const name of names) {
    if (name !== '' && seen.has(name)) {
      context.addIssue({ code: 'custom', message: `\`${name}\` is listed twice` });
    }
    seen.add(name);
  }
  return names;
});

const rule = z.object({
  mode: oneOf(...MODES).default(DEFAULT_MODE),
  primary: pathNames.optional(),
  allowed: pathNames.optional(),
  'min-rate': text(readRate).optional(),
  cost: list(readCost).optional(),
  quota: list(readQuota).optional(),
  'quota-day': text(countReader(1, 28)).optional(),
  'rejoin-after': text(timeReader(1000, 86_400_000)).optional(),
  both: oneOf('never', 'when-full').default('never'),
  'peer-backup': oneOf('respect', 'override').default('respect'),
});

/** RFC 8684 section 3.2: an address ID has 8 bits. */
const MAX_ADDRESS_ID = 255;
/** The most address IDs of one path: a client's kernel has at most 8 endpoints. */
export const MAX_ADDRESS_IDS = 16;

/** The defaults suit some hundred clients whose rates are measured each second. */
const steering = z.object({
  'dry-run': oneOf('yes', 'no').default('no'),
  interval: text(timeReader(100, 60_000)).default(1000),
  dwell: text(timeReader(0, 86_400_000)).default(10_000),
  moves: text(countReader(1, 10_000)).default(32),
  gain: text(readPercent).default(0.04),
  'max-subflows': text(countReader(2, 256)).default(8),
});

/** The keys of each kind of section, and their defaults. They are defined only here. */
export const sections = {
  openvpn: z.object({
    management: text(readManagement).optional(),
    'password-file': text(readPasswordPath).optional(),
    'management-user': text(readUser).optional(),
    events: text(readAbsolutePath).default('/run/subflowd/events'),
    console: text(readSocketPath).optional(),
    'console-listen': text(readListen).optional(),
    'console-auth': text(readManagement).optional(),
    'console-password-file': text(readPasswordPath).optional(),
    'console-hangup': oneOf('yes', 'no').default('no'),
    announce: set(readAnnounced, MAX_ANNOUNCED).optional(),
  }),
  kernel: z.object({
    backend: oneOf('auto', ...BACKEND_NAMES).default('auto'),
    layout: text(readLayout).default('btf'),
  }),
  console: z.object({
    socket: text(readSocketPath).default(DEFAULT_CONSOLE_SOCKET),
    mode: text(readPermissions).default(0o660),
    group: text(readGroup).optional(),
    overrides: text(readAbsolutePath).default('/var/lib/subflowd/overrides.json'),
    quotas: text(readAbsolutePath).default('/var/lib/subflowd/quotas.json'),
  }),
  path: z.object({
    /** One item per line. */
    prefix: z.array(list(readPrefix)).optional(),
    'address-id': set(countReader(0, MAX_ADDRESS_ID), MAX_ADDRESS_IDS).optional(),
    capacity: text(readRate).optional(),
    'max-loss': text(readPercent).default(0.1),
    'max-delay': text(timeReader(1, 60_000)).optional(),
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
