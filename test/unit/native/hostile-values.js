// What the parts of hostile-calls.js share: the addon, invalid values, and how a call is made and reported.
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import loadAddon from 'node-gyp-build';

export const { NetlinkSocket, PhysicalMemory, peerCredentials } = loadAddon(
  join(import.meta.dirname, '../../..'),
);

export const TOP = 2n ** 64n - 1n;

/** Invalid values for a number, for a bigint, and for an array. A few of them are valid for some arguments. */
export const numbers = [
  NaN,
  Infinity,
  -Infinity,
  -1,
  0.5,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  'x',
  null,
  undefined,
  {},
  1n,
];
export const bigints = [TOP, TOP + 1n, -1n, 2n ** 63n, 2n ** 200n, 0, 1.5, 'x', null, undefined, {}];
export const arrays = [
  undefined,
  null,
  1,
  'text',
  {},
  [],
  new ArrayBuffer(64),
  new DataView(new ArrayBuffer(64)),
  new Float64Array(8),
  new Uint8Array(0),
  new BigUint64Array(0),
  detached(new Uint8Array(64)),
  detached(new BigUint64Array(8)),
  new BigInt64Array(8),
  new Uint8ClampedArray(8),
];

// Short names for the arguments that most methods take.
export function words(...values) {
  return BigUint64Array.of(...values);
}
export function wordBuffer(length) {
  return new BigUint64Array(length);
}
export function byteBuffer(length) {
  return new Uint8Array(length);
}

/** Makes one call and reports what it returned or threw. The name is unique. */
export function call(name, act) {
  writeSync(2, `calls ${name}\n`);
  try {
    const result = act();
    report(name, { returned: typeof result === 'object' ? 'object' : String(result) });
  } catch (error) {
    report(name, { threw: error instanceof Error, code: error.code ?? error.name });
  }
}

export function report(name, result) {
  writeSync(1, `${JSON.stringify([name, result])}\n`);
}

/** Takes the memory of the array away, as a transfer to a worker does. @returns the array. */
function detached(array) {
  globalThis.structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}
