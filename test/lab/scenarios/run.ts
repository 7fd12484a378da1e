import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { labScript } from '../checkout.js';
import { guestOut, runInGuest, type GuestOptions } from '../guest.js';
import { labKernel } from '../kernel.js';

/** Messages of the kernel about damaged memory. */
export const HARM =
  /BUG|WARNING:|Oops|general protection|list_(add|del) corruption|Poison|Redzone|Object padding/;

export interface ScenarioRun<Result> {
  /** What the scenario wrote to result.json. */
  readonly result: Result;
  readonly consoleLog: string;
}

/**
 * Runs a scenario of this directory in a guest, on the lab's kernel of one version.
 * @throws {Error} with everything that it printed, if it failed.
 */
export async function runScenario<Result>(
  name: string,
  { version, ...options }: Pick<GuestOptions, 'append' | 'init' | 'memory'> & { version?: string } = {},
): Promise<ScenarioRun<Result>> {
  const out = await mkdtemp(path.join(tmpdir(), `subflowd-${name}-`));
  try {
    const { code, output, consoleLog } = await runInGuest({
      ...options,
      kernel: (await labKernel(version)).bzImage,
      out,
      timeoutMs: 900_000,
      command: [process.execPath, labScript(`scenarios/${name}`), guestOut],
    });
    if (code !== 0) throw new Error(`the scenario ${name} failed with ${code}:\n${output}\n${consoleLog}`);
    return {
      result: JSON.parse(await readFile(path.join(out, 'result.json'), 'utf8')) as Result,
      consoleLog,
    };
  } finally {
    await rm(out, { recursive: true });
  }
}

/**
 * Runs a scenario on this machine's own kernel, with the netlink backend.
 * @throws {Error} with everything that it printed, if it failed.
 */
export async function runScenarioHere<Result>(name: string): Promise<Result> {
  const out = await mkdtemp(path.join(tmpdir(), `subflowd-${name}-`));
  try {
    const command = [labScript(`scenarios/${name}`), out, 'netlink'];
    const { exitCode, all } = await execa(process.execPath, command, { all: true, reject: false });
    if (exitCode !== 0)
      throw new Error(`the scenario ${name} failed with ${exitCode ?? 'a signal'}:\n${all}`);
    return JSON.parse(await readFile(path.join(out, 'result.json'), 'utf8')) as Result;
  } finally {
    await rm(out, { recursive: true });
  }
}
