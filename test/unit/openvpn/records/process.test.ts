import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { probeProcess, processExists } from '../../../../src/openvpn/records/process.js';
import { until } from '../../../support/until.js';

const UNUSED_PID = 2 ** 22;

it('finds a running process', () => {
  expect(probeProcess(process.pid)).toMatchObject({ is: 'other' });
  expect(processExists(process.pid)).toBe(true);
});

it('reports a missing process as gone', () => {
  expect(probeProcess(UNUSED_PID)).toEqual({ is: 'gone' });
  expect(processExists(UNUSED_PID)).toBe(false);
});

it('reports a zombie as gone', async () => {
  // the shell becomes `sleep`, which does not wait for the child of the shell
  const parent = spawn('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    parent.kill();
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const zombie = Number(line.toString());
  await until('it ended', () => /^State:\s*Z/m.test(readFileSync(`/proc/${zombie}/status`, 'latin1')));
  expect(probeProcess(zombie)).toEqual({ is: 'gone' });
  expect(processExists(zombie)).toBe(false);
});
