// Calls every function of the addon with invalid arguments. A crash of the addon would end the process, so another process
// makes the calls, and prints the name of each before it makes it.
import { createRequire } from 'node:module';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const root = createRequire(import.meta.url)
  .resolve('subflowd/package.json')
  .replace(/\/[^/]*$/, '');

/** The code of the other process. It prints one line of JSON for each call: its name and its result. */
const CALLS = `
  const { mkdtempSync, rmSync, truncateSync, writeFileSync, writeSync } = require('node:fs');
  const { tmpdir } = require('node:os');
  const path = require('node:path');
  const { NetlinkSocket, PhysicalMemory, peerCredentials } = require('node-gyp-build')(${JSON.stringify(root)});
  const directory = mkdtempSync(path.join(tmpdir(), 'hostile-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'mem');
  writeFileSync(file, Buffer.alloc(0x300000));
  const ranges = BigUint64Array.of(0x1000n, 0x300000n);
  const TOP = 2n ** 64n - 1n;

  const report = (name, result) => writeSync(1, JSON.stringify([name, result]) + '\\n');
  const call = (name, act) => {
    writeSync(2, 'calls ' + name + '\\n');
    try {
      const result = act();
      report(name, { returned: typeof result === 'object' ? 'object' : String(result) });
    } catch (error) {
      report(name, { threw: error instanceof Error, code: error.code ?? error.name });
    }
  };
  const detached = (array) => {
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  const numbers = [NaN, Infinity, -Infinity, -1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, 'x', null, undefined, {}, 1n];
  const bigints = [TOP, TOP + 1n, -1n, 2n ** 63n, 2n ** 200n, 0, 1.5, 'x', null, undefined, {}];
  const arrays = [
    undefined, null, 1, 'text', {}, [], new ArrayBuffer(64), new DataView(new ArrayBuffer(64)), new Float64Array(8),
    new Uint8Array(0), new BigUint64Array(0), detached(new Uint8Array(64)), detached(new BigUint64Array(8)),
    new BigInt64Array(8), new Uint8ClampedArray(8),
  ];

  // the constructor of PhysicalMemory
  const construct = (...args) => new PhysicalMemory(...args).close();
  for (const [start, end] of [
    [0n, 2n ** 63n], [0n, TOP], [2n ** 63n, TOP], [TOP, TOP], [TOP, 0x4000n], [TOP, 0n], [0x3000n, 0x1000n],
    [0n, 2n ** 52n], [2n ** 46n, 2n ** 46n + 0x1000n],
  ]) {
    for (const access of ['auto', 'mapped', 'bytes']) {
      for (const where of [file, '/dev/zero']) {
        call('range ' + start + ' to ' + end + ' of ' + where + ', ' + access, () =>
          construct(where, BigUint64Array.of(start, end), access, true));
      }
    }
  }
  call('overlapping ranges', () => construct(file, BigUint64Array.of(0n, 0x3000n, 0x2000n, 0x4000n), 'auto', true));
  for (const [index, ranges] of arrays.entries()) call('ranges ' + index, () => construct(file, ranges, 'auto', true));
  call('a path with a zero', () => construct(file + '\\0x', ranges, 'auto', true));
  call('an empty path', () => construct('', ranges, 'auto', true));
  call('a long path', () => construct('/' + 'x'.repeat(2 ** 20), ranges, 'auto', true));
  call('a directory', () => construct(directory, ranges, 'auto', false));
  call('an unknown access', () => construct(file, ranges, 'x', true));
  call('no new', () => PhysicalMemory(file, ranges, 'auto', true));
  call('no arguments', () => new PhysicalMemory());

  for (const access of ['mapped', 'bytes']) {
    const memory = new PhysicalMemory(file, ranges, access, true);
    const mapAll = () => memory.setLinearMap(BigUint64Array.of(0n, 0x300000n, 0n));
    const name = (text) => access + ', ' + text;
    mapAll();

    for (const [index, array] of arrays.entries()) {
      call(name('setLinearMap ' + index), () => memory.setLinearMap(array));
      call(name('readPhysical into ' + index), () => memory.readPhysical(0x1000n, array));
      for (let at = 0; at < 4; at++) {
        const args = [BigUint64Array.of(0x1000n), BigUint64Array.of(0n, TOP), new BigUint64Array(2), new Uint8Array(1)];
        args[at] = array;
        call(name('gather, argument ' + at + ' is ' + index), () => memory.gather(...args));
        call(name('isUnchanged, argument ' + at + ' is ' + index), () => memory.isUnchanged(...args));
      }
      call(name('walkList into ' + index), () => memory.walkList(0x1000n, 0, 0, 8, array, new BigUint64Array(1)));
      call(name('walkList, visited is ' + index), () => memory.walkList(0x1000n, 0, 0, 8, new Uint8Array(8), array));
      call(name('commit, guards are ' + index), () => memory.commit(array, 0, new BigUint64Array(0)));
      call(name('commit, changes are ' + index), () => memory.commit(new BigUint64Array(2), 0, array));
    }
    mapAll();
    for (const value of bigints) {
      call(name('toPhysical of ' + String(value)), () => memory.toPhysical(value));
      call(name('readPhysical at ' + String(value)), () => memory.readPhysical(value, new Uint8Array(8)));
      call(name('walkList from ' + String(value)), () =>
        memory.walkList(value, 0, 0, 8, new Uint8Array(8), new BigUint64Array(1)));
    }
    for (const value of numbers) {
      for (let at = 1; at < 4; at++) {
        const args = [0x1000n, 0, 0, 8, new Uint8Array(64), new BigUint64Array(8)];
        args[at] = value;
        call(name('walkList, argument ' + at + ' is ' + String(value)), () => memory.walkList(...args));
      }
    }
    for (const value of numbers) {
      call(name('commit at ' + String(value)), () => memory.commit(new BigUint64Array(8), value, new BigUint64Array(0)));
    }
    for (const length of [0, 2 ** 31, 2 ** 32 - 1]) {
      call(name('walkList, length ' + length), () =>
        memory.walkList(0x1000n, 0, 0, length, new Uint8Array(64), new BigUint64Array(8)));
    }
    // words of structures
    for (const offset of [2n ** 63n, TOP, TOP - 6n, 1n, 2n ** 40n, 2n ** 20n + 8n]) {
      call(name('gather, offset ' + offset), () =>
        memory.gather(BigUint64Array.of(0x1000n), BigUint64Array.of(offset, TOP), new BigUint64Array(2), new Uint8Array(1)));
    }
    for (const address of [0n, TOP, TOP - 7n, 2n ** 63n, 0x2ffff8n, 0xff8n]) {
      call(name('gather, address ' + address), () =>
        memory.gather(BigUint64Array.of(address, 0x1000n), BigUint64Array.of(0n, TOP, 8n, TOP), new BigUint64Array(6), new Uint8Array(2)));
    }
    {
      // the output overlaps with the words or the addresses
      const shared = BigUint64Array.of(0n, TOP, 0n, TOP, 0n, TOP, 0n, TOP);
      call(name('gather, rows in place of words'), () =>
        memory.gather(BigUint64Array.of(0x1000n), shared, shared, new Uint8Array(1)));
      call(name('gather, rows in place of addresses'), () => {
        const addresses = new BigUint64Array(8).fill(0x1000n);
        return memory.gather(addresses.subarray(0, 2), BigUint64Array.of(0n, TOP), addresses, new Uint8Array(2));
      });
      call(name('gather, status in place of words'), () =>
        memory.gather(BigUint64Array.of(0x1000n), shared, new BigUint64Array(8), new Uint8Array(shared.buffer)));
      call(name('gather, status in place of rows'), () => {
        const rows = new BigUint64Array(4);
        return memory.gather(BigUint64Array.of(0x1000n), BigUint64Array.of(0n, TOP), rows, new Uint8Array(rows.buffer));
      });
      call(name('gather, words of one table in rows of another'), () => {
        const words = BigUint64Array.of(0n, TOP, 0n, TOP);
        return memory.gather(
          BigUint64Array.of(0x1000n), BigUint64Array.of(0n, TOP), words, new Uint8Array(1),
          BigUint64Array.of(0x1000n), words, new BigUint64Array(8), new Uint8Array(1));
      });
    }
    // linear maps outside of RAM, or beyond the largest address
    for (const [start, end, physical] of [
      [0n, TOP, 0n], [0n, TOP, TOP], [0n, 2n ** 63n, 2n ** 63n], [TOP, 0n, 0n], [0x5000n, 0x1000n, 0n],
      [0x10000n, 0x310000n, TOP - 0xfffn], [0n, TOP, TOP - 0x1fffffn], [0n, 0x10000000n, 0n],
    ]) {
      const piece = [start, end, physical].join(' ');
      call(name('linear map ' + piece), () => memory.setLinearMap(BigUint64Array.of(start, end, physical)));
      for (const address of [0x1000n, 0x11000n, 0x12000n, 0x212000n, 0x400000n, 0x8000000n, TOP - 7n]) {
        const addresses = BigUint64Array.of(0x11000n, 0x11008n, address, address + 8n);
        call(name('gather through ' + piece + ' at ' + address), () =>
          memory.gather(addresses, BigUint64Array.of(0n, TOP), new BigUint64Array(8), new Uint8Array(4)));
        call(name('walkList through ' + piece + ' from ' + address), () =>
          memory.walkList(address, 0, 0, 8, new Uint8Array(64), new BigUint64Array(8)));
      }
    }
    mapAll();
    // guards and changes
    for (const address of [0n, 1n, TOP, TOP - 7n, 2n ** 63n, 0x300000n, 0x2ffff8n]) {
      for (const width of [0n, 1n, 2n, 3n, 4n, 8n, TOP]) {
        call(name('commit of ' + width + ' bytes at ' + address), () =>
          memory.commit(BigUint64Array.of(0n, 0n), 0, BigUint64Array.of(address, width, 1n, 1n, 1n)));
      }
      call(name('commit with guards at ' + address), () =>
        memory.commit(BigUint64Array.of(0x1000n, 2n, address, TOP, 0n, address - 8n, TOP, 0n), 0, BigUint64Array.of(0n, 1n, 1n, 1n, 1n)));
    }
    for (const count of [2n, 2n ** 32n, 2n ** 63n, TOP]) {
      call(name('commit with ' + count + ' guards but fewer words'), () =>
        memory.commit(BigUint64Array.of(0x1000n, count, 0x1000n, TOP, 0n), 0, BigUint64Array.of(0n, 1n, 1n, 1n, 1n)));
    }
    for (const method of ['setLinearMap', 'toPhysical', 'readPhysical', 'gather', 'isUnchanged', 'walkList', 'commit', 'close']) {
      call(name(method + ' without arguments'), () => memory[method]());
      call(name(method + ' of another object'), () => memory[method].call({}, 0n, 0, 0, 0));
      call(name(method + ' of a netlink socket'), () => memory[method].call(new NetlinkSocket(16, undefined)));
    }
    for (const property of ['access', 'mapErrno', 'reads']) {
      const { get } = Object.getOwnPropertyDescriptor(PhysicalMemory.prototype, property);
      call(name(property + ' of another object'), () => get.call({}));
      call(name(property + ' of a netlink socket'), () => get.call(new NetlinkSocket(16, undefined)));
    }
    memory.close();
    for (const [method, ...args] of [
      ['readPhysical', 0x1000n, new Uint8Array(8)],
      ['gather', BigUint64Array.of(0x1000n), BigUint64Array.of(0n, TOP), new BigUint64Array(2), new Uint8Array(1)],
      ['isUnchanged', BigUint64Array.of(0x1000n), BigUint64Array.of(0n, TOP), new BigUint64Array(2), new Uint8Array(1)],
      ['walkList', 0x1000n, 0, 0, 8, new Uint8Array(64), new BigUint64Array(8)],
      ['commit', new BigUint64Array(2), 0, new BigUint64Array(0)],
    ]) call(name(method + ' once closed'), () => memory[method](...args));
    // a file that shrinks; only byte-wise access survives this
    if (access === 'bytes') {
      const shrunk = new PhysicalMemory(file, ranges, access, true);
      truncateSync(file, 0x2000);
      call('a file that shrank', () => shrunk.readPhysical(0x4000n, new Uint8Array(8)));
      shrunk.close();
    }
  }

  // netlink sockets
  for (const value of numbers) {
    call('a socket of protocol ' + String(value), () => new NetlinkSocket(value, undefined).close());
    if (value !== undefined) call('a socket in namespace ' + String(value), () => new NetlinkSocket(16, value).close());
  }
  for (const value of numbers) call('the peer of ' + String(value), () => peerCredentials(value));
  const socket = new NetlinkSocket(16, undefined);
  for (const value of numbers) call('join ' + String(value), () => socket.join(value));
  for (const [index, array] of arrays.entries()) {
    call('send ' + index, () => socket.send(array));
    call('receive into ' + index, () => socket.receive(array));
    call('onReadable ' + index, () => socket.onReadable(array));
  }
  call('send too much', () => socket.send(new Uint8Array(2 ** 28)));
  for (const method of ['join', 'send', 'receive', 'onReadable', 'close']) {
    call(method + ' without arguments', () => socket[method]());
    call(method + ' of another object', () => socket[method].call({}, 0));
    call(method + ' of physical memory', () => socket[method].call(Object.create(PhysicalMemory.prototype), 0));
  }
  call('no new socket', () => NetlinkSocket(16, undefined));
  socket.close();
  for (const [method, argument] of [['join', 1], ['send', new Uint8Array(1)], ['receive', new Uint8Array(1)], ['onReadable', () => undefined]])
    call(method + ' once closed', () => socket[method](argument));
  report('the end', {});`;

interface Outcome {
  readonly returned?: string;
  readonly threw?: boolean;
  readonly code?: string;
}

it('the addon never crashes on invalid arguments, but throws an error or returns a result', async () => {
  const child = await execa(process.execPath, ['-e', CALLS], { cwd: root, reject: false, timeout: 120_000 });
  const last = child.stderr.trim().split('\n').at(-1);
  expect(child.exitCode, `${last}\n${child.signal ?? ''}`).toBe(0);
  const results = child.stdout.split('\n').map((line) => JSON.parse(line) as [string, Outcome]);
  expect(results.at(-1)?.[0]).toBe('the end');
  const outcomes = new Map(results);
  expect(outcomes.size).toBe(results.length);
  for (const [name, { returned, threw }] of outcomes) {
    if (name !== 'the end') expect(returned !== undefined || threw === true, name).toBe(true);
  }

  const codeOf = (name: string) => {
    const found = outcomes.get(name);
    expect(found, name).toBeDefined();
    return found?.code;
  };
  const all = (part: string) => [...outcomes].filter(([name]) => name.startsWith(part));
  // ranges beyond any physical memory, or with the end before the start
  for (const [name, { code }] of all('range ')) expect(code, name).toBe('ERANGES');
  expect(codeOf('a path with a zero')).toBe('TypeError');
  // a number of the wrong type or range is never converted
  for (const [name, { code }] of all('a socket in namespace ')) {
    expect(code, name).toBe('TypeError');
  }
  for (const value of ['NaN', 'Infinity', '-1', '0.5', '4294967296', '9007199254740992', '1e+300']) {
    expect(codeOf(`join ${value}`)).toBe('TypeError');
    if (value !== '-1') expect(codeOf(`the peer of ${value}`)).toBe('TypeError');
    expect(codeOf(`mapped, commit at ${value}`)).toBe('TypeError');
  }
  for (const access of ['mapped', 'bytes']) {
    for (const what of ['words', 'addresses']) {
      expect(codeOf(`${access}, gather, rows in place of ${what}`)).toBe('TypeError');
    }
    expect(codeOf(`${access}, gather, status in place of words`)).toBe('TypeError');
    expect(codeOf(`${access}, gather, status in place of rows`)).toBe('TypeError');
    expect(codeOf(`${access}, linear map 0 ${2n ** 64n - 1n} ${2n ** 64n - 1n}`)).toBe('TypeError');
    for (const member of ['gather', 'access', 'mapErrno', 'reads']) {
      expect(codeOf(`${access}, ${member} of a netlink socket`)).toBe('TypeError');
    }
  }
}, 180_000);
