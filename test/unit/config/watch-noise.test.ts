import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchConfig, type ConfigWatcher } from '../../../src/config/watch.js';
import { makeNoise, type Noise } from '../../support/noise-maker.js';
import { until } from '../../support/until.js';

const NOISE_MS = 5_000;
const NOBODY = 65534;

let directory: string;
let watcher: ConfigWatcher | undefined;
let primary: string | undefined;
const noises: Noise[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'subflowd-watch-noise-'));
  primary = undefined;
});

afterEach(async () => {
  for (const noise of noises.splice(0)) await noise.stop();
  await watcher?.close();
  watcher = undefined;
  await rm(directory, { recursive: true, force: true });
});

const file = () => join(directory, 'subflowd.ini');

async function save(name: string): Promise<void> {
  const text = `[openvpn a]\n[path ${name}]\nprefix = 10.1.0.0/16\n[default]\nprimary = ${name}\n`;
  await writeFile(`${file()}.new`, text);
  await rename(`${file()}.new`, file());
}

/** Whether this process has an inotify watch on the directory (proc_pid_fdinfo(5)). */
async function isWatched(): Promise<boolean> {
  const { ino } = await stat(directory);
  const fds = await readdir('/proc/self/fdinfo');
  const infos = await Promise.all(
    // it was closed meanwhile
    fds.map((fd) => readFile(`/proc/self/fdinfo/${fd}`, 'latin1').catch(() => '')),
  );
  return infos.some((info) => info.includes(`inotify wd:`) && info.includes(` ino:${ino.toString(16)} `));
}

test('while other files are made and removed beside the config, it is polled and a save is still noticed', async () => {
  await save('first');
  await chmod(directory, 0o1777);
  watcher = await watchConfig(file(), {
    onConfig: (config) => (primary = config.default.primary.join()),
    onMistake: () => undefined,
  });
  expect(await isWatched()).toBe(true);
  noises.push(
    await makeNoise('makes and removes a file that has the name of the directory', directory, NOBODY),
    await makeNoise('makes and removes files of any name', directory, NOBODY),
  );
  const end = performance.now() + NOISE_MS;
  for (let turn = 0; performance.now() < end; turn++) {
    await until('it is not watched', async () => !(await isWatched()));
    await save(`noisy${turn}`);
    await until('it is told', () => primary === `noisy${turn}`);
  }
  for (const noise of noises.splice(0)) await noise.stop();
  await until('it is watched again', isWatched);
  await save('after');
  await until('it is told', () => primary === 'after');
}, 180_000);
