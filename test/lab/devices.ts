import { readFile } from 'node:fs/promises';

/** What a network device has received. */
export interface Received {
  /** Headers included. */
  readonly bytes: number;
  readonly packets: number;
}

export const NOTHING: Received = { bytes: 0, packets: 0 };

/**
 * What each network device of a process's namespace has received. By /proc, because a process for each look would take
 * the processors that what is looked at needs.
 */
export async function received(pid: number): Promise<ReadonlyMap<string, Received>> {
  const text = await readFile(`/proc/${pid}/net/dev`, 'utf8');
  return new Map(
    [...text.matchAll(/^\s*(\S+):\s*(\d+)\s+(\d+)/gm)].map(([, device = '', bytes, packets]) => [
      device,
      { bytes: Number(bytes), packets: Number(packets) },
    ]),
  );
}
