import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerSockets } from '../../../src/model/connection.js';
import type { Subflow, SubflowName } from '../../../src/model/subflow.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { KernelError } from '../../../src/model/kernel-error.js';
import { mptcpOf } from '../../../src/kernel/walk/mptcp-implementations.js';
import { FdTableReader } from '../../../src/kernel/walk/fd-table.js';
import { openKernel, type OpenKernel } from '../../../src/kernel/kernel.js';
import type { Layout } from '../../../src/kernel/layout/layout.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import { ALL_LAYOUTS } from '../../support/layouts.js';
import { generator, SEED } from '../../support/random.js';

/** MUTATIONS=N sets the number for all layouts together; SEED=N repeats a run. */
const ROUNDS = Math.ceil(Number(process.env.MUTATIONS ?? 100_000) / ALL_LAYOUTS.length);
/** The largest count that a mutation writes, except for 2^32 - 1. */
const MAX_FDS = 70_000;

/** Instead of `expect`, which would take most of the time. */
function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

let image: KernelImage;
let kernel: OpenKernel;
let backend: DevmemBackend;
let file: number;
/** The bits that a commit may change: by physical address of the byte, a mask. */
let fields: ReadonlyMap<number, number>;
let pointers: readonly bigint[];

async function breakable(layout: Layout): Promise<void> {
  image = new KernelImage(layout, { size: 0x24_0000 });
  const sockets = [
    image.socket(ALICE),
    image.socket({ ...ALICE, remote: { ...WIFI, port: 2000 }, mapped: true }),
    image.socket({ protocol: 6, local: SERVER, remote: LTE }),
  ];
  image.task(PID, [image.plainFile(), 0n, ...sockets.map((socket) => socket.file)]);
  image.task(PID + 1, [sockets[1]?.file ?? 0n]);
  const contexts = sockets.flatMap((socket) => socket.contexts);
  pointers = [0n, ...contexts, ...sockets.flatMap(({ file, sk, socks }) => [file, sk, ...socks])];
  const sources = image.sources();
  kernel = await openKernel(sources, { access: 'mapped', layout });
  backend = new DevmemBackend(kernel);
  file = openSync(sources.memory, 'r+');
  const { bits } = mptcpOf(kernel);
  const writable = new Map<number, number>();
  for (const context of contexts) {
    for (const { bitOffset } of [bits.ours, bits.sendMpPrio]) {
      const at = Number(image.physical(context)) + (bitOffset >>> 3);
      writable.set(at, (writable.get(at) ?? 0) | (1 << (bitOffset & 7)));
    }
  }
  fields = writable;
}
afterEach(async () => {
  closeSync(file);
  await backend.close();
  image.remove();
});

/** A random way to break an image: bytes to write to a physical address. */
function mutation(random: () => number): { at: number; bytes: Buffer } {
  const { start, end } = image.used;
  const next = () => Math.floor(random() * 2 ** 32);
  // Most of a structure is zero and never read, so prefer words that are not zero.
  let at = start + (next() % ((end - start) / 8)) * 8;
  for (let i = 0; i < 64 && image.bytes.readBigUInt64LE(at) === 0n; i++)
    at = start + (next() % ((end - start) / 8)) * 8;
  const bytes = Buffer.alloc(8);
  switch (next() % 5) {
    case 0: // a wild pointer
      bytes.writeUInt32LE(next(), 0);
      bytes.writeUInt32LE(next(), 4);
      break;
    case 1: // a pointer to another structure, or into the middle of one: lists become cycles
      bytes.writeBigUInt64LE((pointers[next() % pointers.length] as bigint) + BigInt((next() % 4) * 8));
      break;
    case 2: // one bit
      image.bytes.copy(bytes, 0, at, at + 8);
      bytes.writeUInt8((bytes[next() % 8] as number) ^ (1 << (next() % 8)), next() % 8);
      break;
    case 3: // another size or count
      image.bytes.copy(bytes, 0, at, at + 8);
      bytes.writeUInt32LE(next() % 2 === 0 ? 0xffff_ffff : next() % MAX_FDS, (next() % 2) * 4);
      break;
    default: // the neighbour's word
      image.bytes.copy(bytes, 0, Math.min(at + 8, end - 8), Math.min(at + 16, end));
  }
  return { at, bytes };
}

/** The result of a first observation. */
function observeFirst(): ServerSockets {
  const files = new FdTableReader(kernel.space, kernel.layout).read(kernel.tasks.find(PID));
  const { connections, plain, problems } = mptcpOf(kernel).createWalk(PID).connections(files);
  return { connections: connections.map(({ connection }) => connection), plain, problems };
}

/** Leaves out the peer's priority if a first observation cannot know it. */
function lasting({ connections, plain, problems }: ServerSockets): unknown {
  const { schedulerHonours } = mptcpOf(kernel).bits;
  const subflow = (one: Subflow) => ({ ...one, ...(schedulerHonours === 'peers' && { peers: undefined }) });
  const reported = connections.map((one) => ({ ...one, subflows: one.subflows.map(subflow) }));
  return { connections: reported, plain, problems };
}

function contentNow(): Buffer {
  const { start, end } = image.used;
  const content = Buffer.alloc(end - start);
  readSync(file, content, 0, content.length, start);
  return content;
}

describe.each(ALL_LAYOUTS)('%s', (_, layout) => {
  beforeEach(() => breakable(layout));

  it(
    `${ROUNDS} broken images end in an error or a correct commit, never in another write (SEED=${SEED})`,
    { timeout: 900_000 },
    async () => {
      const random = generator(SEED);
      const { start, end } = image.used;
      const outcomes = new Map<string, number>();
      const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      const name: SubflowName = { pid: PID, connection: WIFI, local: SERVER, remote: LTE };
      for (let round = 0; round < ROUNDS; round++) {
        const mutations = Array.from({ length: 1 + (round % 3) }, () => mutation(random));
        // in half of the rounds the image breaks between observation and commit
        const isLate = round % 2 === 0;
        const apply = () => {
          for (const { at, bytes } of mutations) writeSync(file, bytes, 0, 8, at);
        };
        if (!isLate) apply();
        let reads = kernel.memory.reads;
        let before = contentNow();
        try {
          const seen = await backend.connections(PID);
          for (const problem of seen.problems) must(/^fd \d+/.test(problem), problem);
          if (round % 4 === 0) {
            const before = kernel.memory.reads;
            must(
              isDeepStrictEqual(lasting(seen), lasting(observeFirst())),
              `round ${round}: a first observation reports something else`,
            );
            reads += kernel.memory.reads - before;
          }
          if (isLate) {
            apply();
            before = contentNow();
          }
          const { outcome, reason } = await backend.setPriority(name, 'backup');
          must(outcome === 'committed' || outcome === 'unchanged' || reason !== undefined, outcome);
          count(outcome);
        } catch (error) {
          // every error names its step
          if (!(error instanceof KernelError)) throw error;
          count(error.step);
        }
        // bounded by the largest fd table here, whatever the lists look like
        must(
          kernel.memory.reads - reads < 8 * MAX_FDS,
          `round ${round} took ${kernel.memory.reads - reads} reads`,
        );
        const after = contentNow();
        if (!after.equals(before)) {
          for (let at = 0; at < after.length; at++) {
            if (after[at] === before[at]) continue;
            const address = start + at;
            const mine = fields.get(address) ?? 0;
            const flipped = (after[at] as number) ^ (before[at] as number);
            must((flipped & ~mine) === 0, `${flipped} flipped at ${address}, round ${round}`);
          }
        }
        writeSync(file, image.bytes, start, end - start, start);
      }
      // the rest of the file did not change
      expect(image.changes()).toEqual([]);
      // the mutations led to commits, refusals, and errors of several steps
      expect(outcomes.get('committed')).toBeGreaterThan(0);
      expect(outcomes.get('gone')).toBeGreaterThan(0);
      expect(outcomes.size).toBeGreaterThan(2);
      console.log(Object.fromEntries(outcomes));
    },
  );
});
