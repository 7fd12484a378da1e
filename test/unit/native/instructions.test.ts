// Counts the instructions of a guarded commit with valgrind. The count does not depend on the machine.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { openKernel } from '../../../src/kernel/kernel.js';
import { buildFloor } from '../../bench/floor.js';
import { writeTrails } from '../../bench/trails.js';
import { PID } from '../../support/alice.js';
import { CrowdImage } from '../../support/crowd-image.js';
import { LINUX_6_1 } from '../../support/layouts.js';

/** The number of instructions that a program needs for these lines of input. */
async function instructions(program: string, ...lines: readonly string[]): Promise<number> {
  const valgrind = ['--tool=callgrind', '--callgrind-out-file=/dev/null', program];
  const { stdout, stderr } = await execa('valgrind', valgrind, { input: `${lines.join('\n')}\n` });
  expect(stdout).not.toMatch(/^error/m);
  return Number(/I +refs: +([\d,]+)/.exec(stderr)?.[1]?.replaceAll(',', ''));
}

it('a guarded commit takes at most twice the instructions of a loop with the same reads and writes', async () => {
  const crowd = new CrowdImage(LINUX_6_1, 1);
  const directory = mkdtempSync(path.join(tmpdir(), 'instructions-'));
  try {
    const sources = crowd.image.sources();
    const kernel = await openKernel(sources, { access: 'mapped', layout: LINUX_6_1 });
    const trails = path.join(directory, 'trails');
    await writeTrails(kernel, PID, trails);
    kernel.memory.close();
    // a C++ program that does the same work in a plain loop, and also links the guarded commit
    const program = await buildFloor(path.join(directory, 'floor'));
    const opened = [`open ${sources.memory} mapped ${crowd.image.options.size}`, `sessions ${trails}`];
    const idle = await instructions(program, ...opened);
    const each = async (command: string) =>
      ((await instructions(program, ...opened, `${command} 1000`)) - idle) / 1000;
    const [floor, ours] = [await each('switch'), await each('guarded')];
    expect(floor).toBeGreaterThan(100);
    expect(ours / floor).toBeLessThanOrEqual(2);
  } finally {
    crowd.image.remove();
    rmSync(directory, { recursive: true });
  }
}, 120_000);
