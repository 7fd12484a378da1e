import { BYTE_UNITS, type ByteUnits } from '../model/byte-count.js';
import { QUOTA_PERIODS, type Quota } from '../model/quota.js';
import { ValueError } from './value-error.js';

/** The largest and the smallest quota, bytes. */
const [MIN_QUOTA, MAX_QUOTA] = [1e3, 1e15];

/** Every unit by its name in lower case: its bytes, and its family. */
const UNITS = new Map(
  (Object.keys(BYTE_UNITS) as ByteUnits[]).flatMap((units) =>
    BYTE_UNITS[units].map(([name, bytes]) => [name.toLowerCase(), { bytes, units }] as const),
  ),
);
const UNIT_NAMES = [
  ...new Set(
    Object.values(BYTE_UNITS)
      .flat()
      .map(([name]) => name),
  ),
].join(', ');

/**
 * Reads `lte 5GB/month`: a path, and what a client may carry there in each period.
 * @throws {ValueError} if the text is something else, or the amount is not from 1kB to 1000TB.
 */
export function readQuota(text: string): readonly [path: string, quota: Quota] {
  const [, path, number, unitName = '', periodName] =
    /^(\S+)\s+(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]*)\s*\/\s*([a-z]+)$/i.exec(text) ?? [];
  const unit = UNITS.get(unitName.toLowerCase());
  const period = QUOTA_PERIODS.find((name) => name === periodName?.toLowerCase());
  if (path === undefined || unit === undefined || period === undefined) {
    throw new ValueError(
      `\`${text}\` is not a path and an amount (${UNIT_NAMES}) per ${QUOTA_PERIODS.join(', ')}; write for example lte 5GB/month`,
    );
  }
  const bytes = Number(number) * unit.bytes;
  if (!(bytes >= MIN_QUOTA && bytes <= MAX_QUOTA)) {
    throw new ValueError(
      `\`${text}\` is not from 1kB to 1000TB; remove it from the list if the path has no quota`,
    );
  }
  return [path, { bytes, period, units: unit.units }];
}
