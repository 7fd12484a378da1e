import { writeFile } from 'node:fs/promises';
import { mptcpOf } from '../../src/kernel/walk/mptcp-implementations.js';
import { FdTableReader } from '../../src/kernel/walk/fd-table.js';
import type { OpenKernel } from '../../src/kernel/kernel.js';

const WHOLE = (1n << 64n) - 1n;
/** The largest distance, in bytes, between a pointer and an address in its structure. An array of files may be long. */
const NEAR = 1n << 20n;
/** Number of words in a change. */
const CHANGE = 5;

/**
 * Writes, for the C++ program, the guards of the second subflow of each connection, and the changes of a switch. All are words
 * of 8 bytes. First comes the number of sessions. Each session has its number of steps, its steps, and its changes.
 * A step has the index of the earlier step whose pointer it follows (-1: none), the number to add to that, the address, the
 * mask and the expected value. The changes for backup and then those for active have their number, and for each the address,
 * the width, the mask, the value, and the bits to read back.
 */
export async function writeTrails(kernel: OpenKernel, pid: number, file: string): Promise<void> {
  const { space, layout, tasks } = kernel;
  const mptcp = mptcpOf(kernel);
  const files = new FdTableReader(space, layout).read(tasks.find(pid));
  const words: bigint[] = [];
  const { connections } = mptcp.createWalk(pid).connections(files);
  for (const { subflows } of connections) {
    const target = subflows[1];
    const trail = target && mptcp.trail(pid, files, target);
    if (!target || !trail) throw new Error('a connection has no second subflow');
    const context = space.toPhysical(target.context) ?? 0n;
    const guards = chunk(trail.words(context).subarray(2));
    words.push(BigInt(guards.length), ...guards.flatMap((_, index) => step(kernel, guards, index)));
    for (const priority of ['backup', 'active'] as const) {
      const changes = mptcp.bits.changes(priority, target.subflow.peers, false);
      words.push(BigInt(changes.length / CHANGE));
      words.push(...changes.map((word, at) => (at % CHANGE === 0 ? context + word : word)));
    }
  }
  const all = [BigInt(connections.length), ...words].map((word) => BigInt.asUintN(64, word));
  await writeFile(file, new Uint8Array(BigUint64Array.from(all).buffer));
}

interface Guard {
  readonly address: bigint;
  readonly mask: bigint;
  readonly expected: bigint;
}

function chunk(words: BigUint64Array): Guard[] {
  return Array.from({ length: words.length / 3 }, (_, at) => {
    const [address = 0n, mask = 0n, expected = 0n] = words.subarray(3 * at);
    return { address, mask, expected };
  });
}

function step({ space }: OpenKernel, guards: readonly Guard[], index: number): bigint[] {
  const { address, mask, expected } = guards[index] as Guard;
  let [from, least] = [-1, NEAR];
  for (const [earlier, guard] of guards.slice(0, index).entries()) {
    const pointed = guard.mask === WHOLE ? space.toPhysical(guard.expected) : undefined;
    if (pointed === undefined) continue;
    const distance = pointed > address ? pointed - address : address - pointed;
    if (distance < least) [from, least] = [earlier, distance];
  }
  const delta = from < 0 ? address : address - (guards[from] as Guard).expected;
  return [BigInt(from), delta, address, mask, expected];
}
