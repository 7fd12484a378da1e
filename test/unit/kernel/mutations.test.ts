import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import { openKernel, type OpenKernel } from '../../../src/kernel/kernel.js';
import type { Layout } from '../../../src/kernel/layout/layout.js';
import { FdTableReader } from '../../../src/kernel/walk/fd-table.js';
import { mptcpOf } from '../../../src/kernel/walk/mptcp-implementations.js';
import type { ServerSockets } from '../../../src/model/connection.js';
import { KernelError } from '../../../src/model/kernel-error.js';
import type { Subflow, SubflowName } from '../../../src/model/subflow.js';
import { ALICE, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { KernelImage } from '../../support/kernel-image.js';
import { ALL_LAYOUTS } from '../../support/layouts.js';
import { generator, SEED } from '../../support/random.js';
import { setPriority } from '../../support/set-priority.js';

/** Broken images of each layout. MUTATIONS=N sets the number for all layouts together; SEED=N repeats a run. */
const ROUNDS = Math.ceil(Number(process.env.MUTATIONS ?? 100_000) / ALL_LAYOUTS.length);
/** The largest count that a mutation writes, except for 2^32 - 1. */
const MAX_FDS = 70_000;

/** As `expect`, which would take most of the time. */
function must(isTrue: boolean, message: string): void {
  if (!isTrue) throw new Error(message);
}

let image: KernelImage;
let kernel: OpenKernel;
let backend: DevmemBackend;
/** The descriptor of the image's file. */
let file: number;
/** The bits that a commit may change: by physical address of the byte, a mask. */
let writable: ReadonlyMap<number, number>;
/** The addresses of the structures in the image, and NULL. */
let pointers: readonly bigint[];

/** Opens an image with several connections. */
async function openImage(layout: Layout): Promise<void> {
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
  const masks = new Map<number, number>();
  for (const context of contexts) {
    for (const { bitOffset } of [bits.ours, bits.sendMpPrio]) {
      const at = Number(image.physical(context)) + (bitOffset >>> 3);
      masks.set(at, (masks.get(at) ?? 0) | (1 << (bitOffset & 7)));
    }
  }
  writable = masks;
}

afterEach(async () => {
  closeSync(file);
  await backend.close();
  image.remove();
});

/** Makes a random way to break an image: bytes to write to a physical address. */
function makeMutation(random: () => number): { at: number; bytes: Buffer } {
  const { start, end } = image.used;
  const next = () => Math.floor(random() * 2 ** 32);
  const anyWord = () => start + (next() % ((end - start) / 8)) * 8;
  // Most of a structure is zero and never read, so prefer words that are not zero.
  let at = anyWord();
  for (let tries = 0; tries < 64 && image.bytes.readBigUInt64LE(at) === 0n; tries++) at = anyWord();
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

/** The result of an observation that remembers no earlier one. */
function observeFirst(): ServerSockets {
  const files = new FdTableReader(kernel.space, kernel.layout).read(kernel.tasks.find(PID));
  const { connections, plain, problems } = mptcpOf(kernel).createWalk(PID).connections(files);
  return { connections: connections.map(({ connection }) => connection), plain, problems };
}

/** Leaves out the peer's priority if a first observation cannot know it. */
function comparable({ connections, plain, problems }: ServerSockets): unknown {
  const { schedulerHonours } = mptcpOf(kernel).bits;
  const withoutPeers = (subflow: Subflow) => ({
    ...subflow,
    ...(schedulerHonours === 'peers' && { peers: undefined }),
  });
  return {
    connections: connections.map((each) => ({ ...each, subflows: each.subflows.map(withoutPeers) })),
    plain,
    problems,
  };
}

/** The used part of the image's file. */
function readContent(): Buffer {
  const { start, end } = image.used;
  const content = Buffer.alloc(end - start);
  readSync(file, content, 0, content.length, start);
  return content;
}

/** Throws if other bits changed than a commit may change. */
function checkChanges(before: Buffer, after: Buffer, round: number): void {
  if (after.equals(before)) return;
  const { start } = image.used;
  for (let at = 0; at < after.length; at++) {
    if (after[at] === before[at]) continue;
    const flipped = (after[at] as number) ^ (before[at] as number);
    const allowed = writable.get(start + at) ?? 0;
    must((flipped & ~allowed) === 0, `${flipped} flipped at ${start + at}, round ${round}`);
  }
}

describe.each(ALL_LAYOUTS)('%s', (_, layout) => {
  beforeEach(() => openImage(layout));

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
        const mutations = Array.from({ length: 1 + (round % 3) }, () => makeMutation(random));
        // in half of the rounds the image breaks between observation and commit
        const isLate = round % 2 === 0;
        const apply = () => {
          for (const { at, bytes } of mutations) writeSync(file, bytes, 0, 8, at);
        };
        if (!isLate) apply();
        let reads = kernel.memory.reads;
        let before = readContent();
        try {
          const observed = await backend.connections(PID);
          for (const problem of observed.problems) must(/^fd \d+/.test(problem), problem);
          if (round % 4 === 0) {
            const readsBefore = kernel.memory.reads;
            must(
              isDeepStrictEqual(comparable(observed), comparable(observeFirst())),
              `round ${round}: a first observation reports something else`,
            );
            reads += kernel.memory.reads - readsBefore;
          }
          if (isLate) {
            apply();
            before = readContent();
          }
          const { outcome, reason } = await setPriority(backend, name, 'backup');
          must(outcome === 'committed' || outcome === 'unchanged' || reason !== undefined, outcome);
          count(outcome);
        } catch (error) {
          // Every error names its step.
          if (!(error instanceof KernelError)) throw error;
          count(error.step);
        }
        // The largest fd table of these images limits the reads, whatever the lists look like.
        must(
          kernel.memory.reads - reads < 8 * MAX_FDS,
          `round ${round} took ${kernel.memory.reads - reads} reads`,
        );
        checkChanges(before, readContent(), round);
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
