// Calls PhysicalMemory with invalid arguments: see hostile-calls.js.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  arrays,
  bigints,
  byteBuffer,
  call,
  NetlinkSocket,
  numbers,
  PhysicalMemory,
  TOP,
  wordBuffer,
  words,
} from './hostile-values.js';

/** The physical memory: a file of 3 MiB, of which the first page is not in the ranges. */
const directory = mkdtempSync(join(tmpdir(), 'hostile-'));
// globalThis: an import of node:process makes standard output non-blocking, and writeSync then fails with EAGAIN
globalThis.process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'mem');
writeFileSync(file, new Uint8Array(0x300000));
const RANGES = BigUint64Array.of(0x1000n, 0x300000n);

export function callConstructor() {
  const construct = (...args) => new PhysicalMemory(...args).close();
  for (const [start, end] of [
    [0n, 2n ** 63n],
    [0n, TOP],
    [2n ** 63n, TOP],
    [TOP, TOP],
    [TOP, 0x4000n],
    [TOP, 0n],
    [0x3000n, 0x1000n],
    [0n, 2n ** 52n],
    [2n ** 46n, 2n ** 46n + 0x1000n],
  ]) {
    for (const access of ['auto', 'mapped', 'bytes']) {
      for (const where of [file, '/dev/zero']) {
        call(`range ${start} to ${end} of ${where}, ${access}`, () =>
          construct(where, words(start, end), access, true),
        );
      }
    }
  }
  call('overlapping ranges', () => construct(file, words(0n, 0x3000n, 0x2000n, 0x4000n), 'auto', true));
  for (const [index, array] of arrays.entries())
    call(`ranges ${index}`, () => construct(file, array, 'auto', true));
  call('a path with a zero', () => construct(file + '\0x', RANGES, 'auto', true));
  call('an empty path', () => construct('', RANGES, 'auto', true));
  call('a long path', () => construct('/' + 'x'.repeat(2 ** 20), RANGES, 'auto', true));
  call('a directory', () => construct(directory, RANGES, 'auto', false));
  call('an unknown access', () => construct(file, RANGES, 'x', true));
  call('no new', () => PhysicalMemory(file, RANGES, 'auto', true));
  call('no arguments', () => new PhysicalMemory());
}

export function callMemory(access) {
  const memory = new PhysicalMemory(file, RANGES, access, true);
  const attempt = (name, act) => call(`${access}, ${name}`, act);
  mapAll(memory);
  passArrays(memory, attempt);
  mapAll(memory);
  passNumbers(memory, attempt);
  gatherWrongAddresses(memory, attempt);
  gatherIntoArguments(memory, attempt);
  setWrongLinearMaps(memory, attempt);
  mapAll(memory);
  commitWrongGuards(memory, attempt);
  callOnOtherObjects(memory, attempt);
  memory.close();
  callOnceClosed(memory, attempt);
  // only byte-wise access survives a file that shrinks
  if (access === 'bytes') shrinkFile();
}

/** Maps the whole file at virtual address 0. */
function mapAll(memory) {
  memory.setLinearMap(words(0n, 0x300000n, 0n));
}

function passArrays(memory, attempt) {
  for (const [index, array] of arrays.entries()) {
    attempt(`setLinearMap ${index}`, () => memory.setLinearMap(array));
    attempt(`readPhysical into ${index}`, () => memory.readPhysical(0x1000n, array));
    for (let at = 0; at < 4; at++) {
      const args = [words(0x1000n), words(0n, TOP), wordBuffer(2), byteBuffer(1)];
      args[at] = array;
      attempt(`gather, argument ${at} is ${index}`, () => memory.gather(...args));
      attempt(`isUnchanged, argument ${at} is ${index}`, () => memory.isUnchanged(...args));
    }
    attempt(`walkList into ${index}`, () => memory.walkList(0x1000n, 0, 0, 8, array, wordBuffer(1)));
    attempt(`walkList, visited is ${index}`, () => memory.walkList(0x1000n, 0, 0, 8, byteBuffer(8), array));
    attempt(`commit, guards are ${index}`, () => memory.commit(array, 0, wordBuffer(0)));
    attempt(`commit, changes are ${index}`, () => memory.commit(wordBuffer(2), 0, array));
    for (const at of [0, 1, 2, 3]) {
      const batch = [wordBuffer(2), wordBuffer(0), new Int32Array(0), new Int32Array(0)];
      batch[at] = array;
      attempt(`commitAll, argument ${at} is ${index}`, () => memory.commitAll(...batch));
    }
  }
}

function passNumbers(memory, attempt) {
  for (const value of bigints) {
    attempt(`toPhysical of ${String(value)}`, () => memory.toPhysical(value));
    attempt(`readPhysical at ${String(value)}`, () => memory.readPhysical(value, byteBuffer(8)));
    attempt(`walkList from ${String(value)}`, () =>
      memory.walkList(value, 0, 0, 8, byteBuffer(8), wordBuffer(1)),
    );
  }
  for (const value of numbers) {
    for (let at = 1; at < 4; at++) {
      const args = [0x1000n, 0, 0, 8, byteBuffer(64), wordBuffer(8)];
      args[at] = value;
      attempt(`walkList, argument ${at} is ${String(value)}`, () => memory.walkList(...args));
    }
  }
  for (const value of numbers) {
    attempt(`commit at ${String(value)}`, () => memory.commit(wordBuffer(8), value, wordBuffer(0)));
  }
  for (const length of [0, 2 ** 31, 2 ** 32 - 1]) {
    attempt(`walkList, length ${length}`, () =>
      memory.walkList(0x1000n, 0, 0, length, byteBuffer(64), wordBuffer(8)),
    );
  }
}

function gatherWrongAddresses(memory, attempt) {
  for (const offset of [2n ** 63n, TOP, TOP - 6n, 1n, 2n ** 40n, 2n ** 20n + 8n]) {
    attempt(`gather, offset ${offset}`, () =>
      memory.gather(words(0x1000n), words(offset, TOP), wordBuffer(2), byteBuffer(1)),
    );
  }
  for (const address of [0n, TOP, TOP - 7n, 2n ** 63n, 0x2ffff8n, 0xff8n]) {
    attempt(`gather, address ${address}`, () =>
      memory.gather(words(address, 0x1000n), words(0n, TOP, 8n, TOP), wordBuffer(6), byteBuffer(2)),
    );
  }
}

/** Calls `gather` with an output that overlaps with the words, the addresses or another output. */
function gatherIntoArguments(memory, attempt) {
  const shared = words(0n, TOP, 0n, TOP, 0n, TOP, 0n, TOP);
  attempt('gather, rows in place of words', () =>
    memory.gather(words(0x1000n), shared, shared, byteBuffer(1)),
  );
  attempt('gather, rows in place of addresses', () => {
    const addresses = wordBuffer(8).fill(0x1000n);
    return memory.gather(addresses.subarray(0, 2), words(0n, TOP), addresses, byteBuffer(2));
  });
  attempt('gather, status in place of words', () =>
    memory.gather(words(0x1000n), shared, wordBuffer(8), new Uint8Array(shared.buffer)),
  );
  attempt('gather, status in place of rows', () => {
    const rows = wordBuffer(4);
    return memory.gather(words(0x1000n), words(0n, TOP), rows, new Uint8Array(rows.buffer));
  });
  attempt('gather, words of one table in rows of another', () => {
    const overlapping = words(0n, TOP, 0n, TOP);
    return memory.gather(
      words(0x1000n),
      words(0n, TOP),
      overlapping,
      byteBuffer(1),
      words(0x1000n),
      overlapping,
      wordBuffer(8),
      byteBuffer(1),
    );
  });
}

/** Sets linear maps outside of RAM or beyond the largest address, and reads through them. */
function setWrongLinearMaps(memory, attempt) {
  for (const [start, end, physical] of [
    [0n, TOP, 0n],
    [0n, TOP, TOP],
    [0n, 2n ** 63n, 2n ** 63n],
    [TOP, 0n, 0n],
    [0x5000n, 0x1000n, 0n],
    [0x10000n, 0x310000n, TOP - 0xfffn],
    [0n, TOP, TOP - 0x1fffffn],
    [0n, 0x10000000n, 0n],
  ]) {
    const piece = [start, end, physical].join(' ');
    attempt(`linear map ${piece}`, () => memory.setLinearMap(words(start, end, physical)));
    for (const address of [0x1000n, 0x11000n, 0x12000n, 0x212000n, 0x400000n, 0x8000000n, TOP - 7n]) {
      const addresses = words(0x11000n, 0x11008n, address, address + 8n);
      attempt(`gather through ${piece} at ${address}`, () =>
        memory.gather(addresses, words(0n, TOP), wordBuffer(8), byteBuffer(4)),
      );
      attempt(`walkList through ${piece} from ${address}`, () =>
        memory.walkList(address, 0, 0, 8, byteBuffer(64), wordBuffer(8)),
      );
    }
  }
}

function commitWrongGuards(memory, attempt) {
  for (const address of [0n, 1n, TOP, TOP - 7n, 2n ** 63n, 0x300000n, 0x2ffff8n]) {
    for (const width of [0n, 1n, 2n, 3n, 4n, 8n, TOP]) {
      attempt(`commit of ${width} bytes at ${address}`, () =>
        memory.commit(words(0n, 0n), 0, words(address, width, 1n, 1n, 1n)),
      );
    }
    attempt(`commit with guards at ${address}`, () =>
      memory.commit(
        words(0x1000n, 2n, address, TOP, 0n, address - 8n, TOP, 0n),
        0,
        words(0n, 1n, 1n, 1n, 1n),
      ),
    );
  }
  for (const count of [2n, 2n ** 32n, 2n ** 63n, TOP]) {
    attempt(`commit with ${count} guards but fewer words`, () =>
      memory.commit(words(0x1000n, count, 0x1000n, TOP, 0n), 0, words(0n, 1n, 1n, 1n, 1n)),
    );
  }
}

/** Calls the methods without arguments, and on objects of another kind. This closes the memory. */
function callOnOtherObjects(memory, attempt) {
  for (const method of [
    'setLinearMap',
    'toPhysical',
    'readPhysical',
    'gather',
    'isUnchanged',
    'walkList',
    'commit',
    'commitAll',
    'close',
  ]) {
    attempt(`${method} without arguments`, () => memory[method]());
    attempt(`${method} of another object`, () => memory[method].call({}, 0n, 0, 0, 0));
    attempt(`${method} of a netlink socket`, () => memory[method].call(new NetlinkSocket(16, undefined)));
  }
  for (const property of ['access', 'mapErrno', 'reads']) {
    const { get } = Object.getOwnPropertyDescriptor(PhysicalMemory.prototype, property);
    attempt(`${property} of another object`, () => get.call({}));
    attempt(`${property} of a netlink socket`, () => get.call(new NetlinkSocket(16, undefined)));
  }
}

function callOnceClosed(memory, attempt) {
  for (const [method, ...args] of [
    ['readPhysical', 0x1000n, byteBuffer(8)],
    ['gather', words(0x1000n), words(0n, TOP), wordBuffer(2), byteBuffer(1)],
    ['isUnchanged', words(0x1000n), words(0n, TOP), wordBuffer(2), byteBuffer(1)],
    ['walkList', 0x1000n, 0, 0, 8, byteBuffer(64), wordBuffer(8)],
    ['commit', wordBuffer(2), 0, wordBuffer(0)],
    ['commitAll', wordBuffer(2), wordBuffer(0), new Int32Array(0), new Int32Array(0)],
  ])
    attempt(`${method} once closed`, () => memory[method](...args));
}

function shrinkFile() {
  const shrunk = new PhysicalMemory(file, RANGES, 'bytes', true);
  truncateSync(file, 0x2000);
  call('a file that shrank', () => shrunk.readPhysical(0x4000n, byteBuffer(8)));
  shrunk.close();
}
