import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { DaemonStatus } from '../../../src/api/status.js';
import { talk } from '../../../src/console/terminal/talk.js';
import { type Cleanup, withCleanup } from '../cleanup.js';
import type { OpenvpnProcess } from '../openvpn.js';
import type { SidecarFiles } from '../sidecar-files.js';
import { until } from '../../support/until.js';

/** Milliseconds to wait for anything. An emulated processor is slow. */
export const PATIENCE_MS = 180_000;

/** The backend in the command line; undefined if subflowd chooses. */
export function wantedBackend(): 'devmem' | 'netlink' | undefined {
  return z.enum(['devmem', 'netlink']).optional().parse(process.argv[3]);
}

/**
 * Runs a scenario, started as `node SCENARIO.js DIRECTORY [BACKEND]`. Its result is written to `result.json` in the directory,
 * where a test checks it. The cleanup runs at the end.
 */
export async function scenario(act: (cleanup: Cleanup, out: string) => Promise<unknown>): Promise<void> {
  const out = path.resolve(process.argv[2] ?? 'out');
  await mkdir(out, { recursive: true });
  await withCleanup(async (cleanup) => {
    const result = await act(cleanup, out);
    await writeFile(path.join(out, 'result.json'), `${JSON.stringify(result, undefined, 2)}\n`);
  });
}

const startMs = Date.now();

/** Prints progress. */
export function say(text: string): void {
  process.stdout.write(`${((Date.now() - startMs) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}

/** Sends a command to the daemon's console. @returns the lines of the answer. */
export async function command(files: SidecarFiles, line: string): Promise<readonly string[]> {
  return talk(files.console, line, { timeoutMs: PATIENCE_MS });
}

export async function statusOf(files: SidecarFiles): Promise<DaemonStatus> {
  const [json] = await command(files, 'mptcp status json');
  return JSON.parse(json ?? '') as DaemonStatus;
}

/**
 * Waits until the daemon's status fulfils a condition.
 * @param what the condition, for the error.
 * @throws {Error} with the last status, after {@link PATIENCE_MS}.
 */
export async function untilStatus(
  files: SidecarFiles,
  what: string,
  condition: (status: DaemonStatus) => boolean,
): Promise<DaemonStatus> {
  let last: DaemonStatus | undefined;
  try {
    return await until(
      what,
      async () => {
        last = await statusOf(files).catch(() => undefined);
        return last !== undefined && condition(last) ? last : undefined;
      },
      PATIENCE_MS,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}; the last status: ${JSON.stringify(last, undefined, 2)}`, {
      cause: error,
    });
  }
}

/** The sum of the clients' reconnects. */
export async function reconnects(clients: readonly OpenvpnProcess[]): Promise<number> {
  const each = await Promise.all(clients.map((client) => client.reconnects()));
  return each.reduce((sum, one) => sum + one, 0);
}
