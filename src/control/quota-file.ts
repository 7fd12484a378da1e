import { z } from 'zod';
import { whyUnreadable } from '../util/denied.js';
import { readRegularFileSync } from '../util/regular-file.js';
import { foundAside, isSetAside } from './overrides-file.js';
import { EMPTY_LEDGER, type SavedLedger } from './quota-ledger.js';

/** Largest file of quotas, bytes: the most clients that are counted, each with a whole month. */
export const MAX_FILE_BYTES = 1 << 26;

const BYTES = z.number().nonnegative();
const FILE_SCHEMA = z.object({
  version: z.literal(1),
  accounts: z.array(
    z.tuple([z.string(), z.array(z.tuple([z.string(), z.array(z.tuple([z.int(), BYTES]))]))]),
  ),
  connections: z.array(z.tuple([z.string(), z.array(z.tuple([z.string(), BYTES]))])),
});

/** The ledger in a file, or why it cannot be used. */
export type ReadQuotas =
  | { readonly ledger: SavedLedger }
  /** `damaged`: its content is not a ledger; `unreadable`: its content is not known. */
  | { readonly state: 'damaged' | 'unreadable'; readonly problem: string };

/** Reads a file of quotas. If there is no such file, nobody has carried anything. */
export function readQuotas(file: string): ReadQuotas {
  let text: string;
  try {
    text = readRegularFileSync(file, MAX_FILE_BYTES).toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { ledger: EMPTY_LEDGER };
    return { state: 'unreadable', problem: whyUnreadable(file, error) };
  }
  try {
    const { accounts, connections } = FILE_SCHEMA.parse(JSON.parse(text));
    return { ledger: { accounts, connections } };
  } catch {
    return { state: 'damaged', problem: `${file} is not a file of quotas` };
  }
}

/** Problems with a file of quotas and the renamed files beside it, each with its remedy. Changes nothing. */
export function inspectQuotas(file: string): {
  readonly problem: string;
  readonly remedy: string;
  /** Whether the file itself cannot be used now. */
  readonly isUnusable: boolean;
}[] {
  const found = readQuotas(file);
  const restart = 'systemctl restart subflowd renames it and begins to count again';
  const replace =
    'make it a regular file that root can read, or set [console] quotas; then: systemctl restart subflowd';
  return [
    ...('ledger' in found || isSetAside(file)
      ? []
      : [
          {
            problem: found.problem,
            remedy: found.state === 'damaged' ? restart : replace,
            isUnusable: true,
          },
        ]),
    ...foundAside(file).map((name) => ({
      problem: `a file of quotas that could not be read was renamed to ${name}: what clients had carried until then does not count`,
      remedy: `if their quotas need not count it: rm ${name}`,
      isUnusable: false,
    })),
  ];
}

/** The text of a file with this ledger. */
export function formatQuotas(ledger: SavedLedger): string {
  return JSON.stringify({ version: 1, ...ledger });
}
