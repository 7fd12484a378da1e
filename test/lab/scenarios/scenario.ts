import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { DaemonStatus } from '../../../src/api/status.js';
import { talk } from '../../../src/console/terminal/talk.js';
import { Cleanup } from '../cleanup.js';
import type { OpenvpnProcess } from '../openvpn.js';
import type { SidecarFiles } from '../sidecar-files.js';
import { until } from '../../support/until.js';

/** An emulated processor needs its time; what is waited for either comes or never does. */
export const PATIENCE_MS = 180_000;

/** What the sidecar is told to use; it chooses itself unless given. */
export function wantedBackend(): 'devmem' | 'netlink' | undefined {
  return z.enum(['devmem', 'netlink']).optional().parse(process.argv[3]);
}

/**
 * A scenario's frame: `node SCENARIO.js DIRECTORY [BACKEND]` runs it and leaves what it saw in `result.json` there, for a test to
 * judge. Everything it made is undone at its end.
 */
export async function scenario(act: (cleanup: Cleanup, out: string) => Promise<unknown>): Promise<void> {
  const out = path.resolve(process.argv[2] ?? 'out');
  await mkdir(out, { recursive: true });
  const cleanup = new Cleanup();
  cleanup.onSignals();
  try {
    const result = await act(cleanup, out);
    await writeFile(path.join(out, 'result.json'), `${JSON.stringify(result, undefined, 2)}\n`);
  } finally {
    await cleanup.run();
  }
}

const startMs = Date.now();

/** Progress, for whoever watches the guest. */
export function say(text: string): void {
  process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}

/** One command on the daemon's console. */
export async function command(files: SidecarFiles, line: string): Promise<readonly string[]> {
  return talk(files.console, line, PATIENCE_MS);
}

export async function statusOf(files: SidecarFiles): Promise<DaemonStatus> {
  const [json] = await command(files, 'mptcp status json');
  return JSON.parse(json ?? '') as DaemonStatus;
}

/** Waits until the daemon's status is as wished. */
export async function untilStatus(
  files: SidecarFiles,
  what: string,
  holds: (status: DaemonStatus) => boolean,
): Promise<DaemonStatus> {
  let last: DaemonStatus | undefined;
  try {
    return await until(
      what,
      async () => {
        last = await statusOf(files).catch(() => undefined);
        return last !== undefined && holds(last) ? last : undefined;
      },
      PATIENCE_MS,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}; the last status: ${JSON.stringify(last, undefined, 2)}`, {
      cause: error,
    });
  }
}

/** The sum of the clients' reconnects: 0 if nobody noticed anything. */
export async function reconnects(clients: readonly OpenvpnProcess[]): Promise<number> {
  const each = await Promise.all(clients.map((client) => client.reconnects()));
  return each.reduce((sum, one) => sum + one, 0);
}
