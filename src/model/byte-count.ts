/** A family of units of bytes: powers of 1000 with the names of SI, or powers of 1024 with those of IEC 80000-13. */
export type ByteUnits = 'decimal' | 'binary';

/** The units of each family by their names, in bytes, the smallest first. */
export const BYTE_UNITS: Readonly<Record<ByteUnits, readonly (readonly [name: string, bytes: number])[]>> = {
  decimal: [
    ['B', 1],
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
    ['TB', 1e12],
  ],
  binary: [
    ['B', 1],
    ['KiB', 2 ** 10],
    ['MiB', 2 ** 20],
    ['GiB', 2 ** 30],
    ['TiB', 2 ** 40],
  ],
};

/** `5.1 GB`: a number of bytes in the largest unit that it reaches, with three digits. */
export function formatBytes(bytes: number, units: ByteUnits = 'decimal'): string {
  const [name, each] = BYTE_UNITS[units].findLast(([, each]) => bytes >= each) ?? ['B', 1];
  const number = bytes / each;
  return `${number >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)))} ${name}`;
}
