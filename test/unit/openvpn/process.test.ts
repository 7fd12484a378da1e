import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { probeProcess, processExists } from '../../../src/openvpn/process.js';
import { until } from '../../support/until.js';

const NOBODY_HAS_IT = 2 ** 22;

it('a process that runs is not gone', () => {
  expect(probeProcess(process.pid)).toMatchObject({ is: 'other' });
  expect(processExists(process.pid)).toBe(true);
});

it('a process that is not there is gone', () => {
  expect(probeProcess(NOBODY_HAS_IT)).toEqual({ is: 'gone' });
  expect(processExists(NOBODY_HAS_IT)).toBe(false);
});

it('a process that ended and was not waited for is gone', async () => {
  // what the shell becomes knows nothing of its child
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
