import { formatBytes, type ByteUnits } from './byte-count.js';

/** How often a quota begins again. */
export const QUOTA_PERIODS = ['day', 'week', 'month'] as const;
export type QuotaPeriod = (typeof QUOTA_PERIODS)[number];

/** What a client may carry on one path in each period before the path becomes its last choice. */
export interface Quota {
  /** Bytes of TCP payload, both directions together, 1e3 to 1e15. */
  readonly bytes: number;
  readonly period: QuotaPeriod;
  /** The units that it is written in, and shown in. */
  readonly units: ByteUnits;
}

/** What a client has carried on one path in the present period. Plain data, as `status --json` prints it. */
export interface QuotaUse extends Quota {
  readonly path: string;
  /** Bytes of TCP payload in the present period, both directions of all its connections together. */
  readonly used: number;
  /** When the next period begins, Unix time in milliseconds. */
  readonly until: number;
}

/** Whether a client has carried all that its quota allows, so that the path is its last choice. */
export function isOverQuota({ used, bytes }: Pick<QuotaUse, 'used' | 'bytes'>): boolean {
  return used >= bytes;
}

/** The present period, in a sentence about it. */
const PRESENT: Readonly<Record<QuotaPeriod, string>> = {
  day: 'today',
  week: 'this week',
  month: 'this month',
};

/** `5 GB/month`: a quota as it is written in the config. */
export function formatQuota({ bytes, units, period }: Quota): string {
  return `${formatBytes(bytes, units)}/${period}`;
}

/** `lte: 5.1 GB of 5 GB this month, until 1 December`. The day begins at 00:00 UTC. */
export function formatQuotaUse({ path, used, bytes, units, period, until }: QuotaUse): string {
  const day = new Date(until).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', timeZone: 'UTC' });
  return `${path}: ${formatBytes(used, units)} of ${formatBytes(bytes, units)} ${PRESENT[period]}, until ${day}`;
}
