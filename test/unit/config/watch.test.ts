import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import {
  appendFile,
  mkdir,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  unlink,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Config } from '../../../src/config/config.js';
import { loadConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problem.js';
import { watchConfig, type ConfigWatcher } from '../../../src/config/watch.js';
import { until } from '../../support/until.js';

// each wait has its own time limit
vi.setConfig({ testTimeout: 60_000 });

const PATHS = '[path wifi]\nprefix = 10.1.0.0/16\n[path lte]\nprefix = 10.2.0.0/16\n';
const text = (primary: string) => `[openvpn a]\n${PATHS}[default]\nprimary = ${primary}\n`;
const MISTAKE = `[openvpn a]\n${PATHS}[default]\nprimray = lte\n`;
const TOLD_MISTAKE =
  ':7: [default]: unknown key `primray` (did you mean `primary`?); known here: mode, primary, allowed, min-rate, cost, quota, quota-day, rejoin-after, both, peer-backup';

let directory: string;
let watcher: ConfigWatcher | undefined;
let events: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'subflowd-watch-'));
  events = [];
});

afterEach(async () => {
  await watcher?.close();
  watcher = undefined;
  await rm(directory, { recursive: true, force: true });
});

const primaryOf = (config: Config) => config.default.primary.join();

async function watchIni(file: string): Promise<void> {
  watcher = await watchConfig(file, {
    onConfig: (config) => events.push(primaryOf(config)),
    onMistake: ({ message }) => events.push(message.replace(file, '')),
  });
}

/** Waits until all expected events have come. No event shows that no other follows: it waits 300 ms more for one. */
async function expectEvents(...expected: string[]): Promise<void> {
  await until(`${expected.length} events`, () => events.length >= expected.length);
  await sleep(300);
  expect(events).toEqual(expected);
  events = [];
}

/**
 * Writes synchronously. The watcher is in this process, so it never sees the file empty, even on a slow machine.
 */
function writeFile(file: string, content: string | Buffer): Promise<void> {
  writeFileSync(file, content);
  return Promise.resolve();
}

async function replace(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}

describe('a file that is loaded', () => {
  test('gives its config, or all its mistakes with file and line', async () => {
    const file = join(directory, 'subflowd.ini');
    await writeFile(file, text('lte'));
    expect(primaryOf(await loadConfig(file))).toBe('lte');
    await writeFile(file, `${MISTAKE}[path wifi]\n`);
    const error = await loadConfig(file).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message.split('\n')).toEqual([
      `${file}${TOLD_MISTAKE}`,
      `${file}:8: [path wifi]: is already on line 2; join the two sections`,
    ]);
  });

  test.each<[string, (file: string) => Promise<unknown>, string]>([
    ['is not there', () => Promise.resolve(), ': does not exist'],
    ['is empty', (file) => writeFile(file, ''), ': the file is empty'],
    ['is a directory', (file) => mkdir(file), ': is not a regular file'],
    ['is a FIFO', (file) => promisify(execFile)('mkfifo', [file]), ': is not a regular file'],
    [
      'is Latin-1',
      (file) => writeFile(file, Buffer.from('; ok\n[client Müller]\n', 'latin1')),
      ':2: is not UTF-8; save the file in that encoding',
    ],
    ['is huge', (file) => writeFile(file, Buffer.alloc(1_048_577, 0x0a)), ': is larger than 1 MiB'],
  ])('one that %s', async (_what, make, message) => {
    const file = join(directory, 'subflowd.ini');
    await make(file);
    await expect(loadConfig(file)).rejects.toThrow(ConfigError);
    await expect(loadConfig(file)).rejects.toThrow(`${file}${message}`);
  });
});

describe('a file under watch', () => {
  let file: string;

  beforeEach(async () => {
    file = join(directory, 'etc', 'subflowd.ini');
    await mkdir(join(directory, 'etc'));
    await writeFile(file, text('wifi'));
    await watchIni(file);
  });

  test('a config that did not change is not reported', async () => {
    expect(watcher && primaryOf(watcher.config)).toBe('wifi');
    await writeFile(file, text('wifi'));
    await expectEvents();
  });

  test('is applied when it is written in place', async () => {
    await writeFile(file, text('lte'));
    await expectEvents('lte');
    expect(watcher && primaryOf(watcher.config)).toBe('lte');
    await writeFile(file, text('wifi'));
    await expectEvents('wifi');
  });

  test('is applied each time a rename replaces it', async () => {
    await replace(file, text('lte'));
    await expectEvents('lte');
    await replace(file, text('wifi'));
    await expectEvents('wifi');
    await writeFile(file, text('lte, wifi'));
    await expectEvents('lte,wifi');
  });

  test('is applied when it is moved to a backup and written again, as vim does', async () => {
    await rename(file, `${file}~`);
    await writeFile(file, text('lte'));
    await unlink(`${file}~`);
    await expectEvents('lte');
  });

  test('is a mistake while it is removed, and the config stays in force until it is made again', async () => {
    await unlink(file);
    await expectEvents(': does not exist');
    expect(watcher && primaryOf(watcher.config)).toBe('wifi');
    await writeFile(file, text('lte'));
    await expectEvents('lte');
  });

  test('is a mistake when it is emptied', async () => {
    await truncate(file);
    await expectEvents(': the file is empty');
    expect(watcher && primaryOf(watcher.config)).toBe('wifi');
  });

  test('a mistake is reported once with its line, and the config is reported again when it is fixed', async () => {
    await writeFile(file, MISTAKE);
    await expectEvents(TOLD_MISTAKE);
    await appendFile(file, '; no better\n');
    await expectEvents();
    expect(watcher && primaryOf(watcher.config)).toBe('wifi');
    await replace(file, text('wifi'));
    await expectEvents('wifi');
    await replace(file, MISTAKE);
    await expectEvents(TOLD_MISTAKE);
    await writeFile(file, text('lte'));
    await expectEvents('lte');
  });

  test('half a save is neither applied nor reported', async () => {
    const whole = `[openvpn a]\n${PATHS}[client x]\nprimary = wifi\n[default]\nprimary = lte\n`;
    const handle = await open(file, 'w');
    for (const line of whole.split(/(?<=\n)/)) {
      await handle.write(line.slice(0, 5));
      // the save takes time
      await sleep(2);
      await handle.write(line.slice(5));
    }
    await handle.close();
    await expectEvents('lte');
  });

  test('the last of many quick saves is the one in force', async () => {
    for (let turn = 0; turn < 40; turn++) {
      const primary = turn % 2 ? 'wifi, lte' : 'lte, wifi';
      await (turn % 3 ? writeFile(file, text(primary)) : replace(file, text(primary)));
      // saves follow each other at different distances
      await sleep(turn % 7);
    }
    await until('the last is in force', () => events.at(-1) === 'wifi,lte');
    events = [];
    await expectEvents();
  });

  test('is applied when its directory is replaced', async () => {
    const etc = join(directory, 'etc');
    await mkdir(join(directory, 'other'));
    await writeFile(join(directory, 'other', 'subflowd.ini'), text('lte'));
    await rename(etc, join(directory, 'old'));
    await rename(join(directory, 'other'), etc);
    await expectEvents('lte');
    await writeFile(file, text('wifi'));
    await expectEvents('wifi');
    await writeFile(join(directory, 'old', 'subflowd.ini'), MISTAKE);
    await expectEvents();
  });

  test('is applied when its directory is removed and made again', async () => {
    await rm(join(directory, 'etc'), { recursive: true });
    await expectEvents(': does not exist');
    await mkdir(join(directory, 'etc'));
    await writeFile(file, text('lte'));
    await expectEvents('lte');
    await writeFile(file, text('wifi'));
    await expectEvents('wifi');
  });

  test('is applied after its directory was away for a moment', async () => {
    const leave = async (ms: number) => {
      await rename(join(directory, 'etc'), join(directory, 'away'));
      await sleep(ms);
      await rename(join(directory, 'away'), join(directory, 'etc'));
    };
    for (let turn = 0; turn < 10; turn++) {
      await leave(turn * 1.5);
      // and once more while the watch is set up again
      await sleep(11 + (turn % 5));
      await leave(3);
      // the directory is watched again soon, but no event shows when
      await sleep(200);
      const primary = turn % 2 ? 'wifi' : 'lte';
      await writeFile(file, text(primary));
      await until(`${primary} is in force`, () => events.at(-1) === primary);
    }
  });

  test('nothing is reported after close', async () => {
    await watcher?.close();
    await writeFile(file, text('lte'));
    await expectEvents();
  });
});

describe('a file behind symbolic links', () => {
  test('is applied when a link to its directory changes, as in configuration mounts', async () => {
    for (const [name, primary] of [
      ['one', 'wifi'],
      ['two', 'lte'],
    ] as const) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'subflowd.ini'), text(primary));
    }
    await symlink('one', join(directory, 'data'));
    await symlink('data/subflowd.ini', join(directory, 'subflowd.ini'));
    await watchIni(join(directory, 'subflowd.ini'));
    await symlink('two', join(directory, 'data.new'));
    await rename(join(directory, 'data.new'), join(directory, 'data'));
    await expectEvents('lte');
    await writeFile(join(directory, 'two', 'subflowd.ini'), text('lte, wifi'));
    await expectEvents('lte,wifi');
    await writeFile(join(directory, 'one', 'subflowd.ini'), text('wifi, lte'));
    await expectEvents();
    expect(await readFile(join(directory, 'subflowd.ini'), 'utf8')).toBe(text('lte, wifi'));
  });

  test('links in a circle are a mistake, and do not hang', async () => {
    const file = join(directory, 'subflowd.ini');
    await writeFile(file, text('wifi'));
    await watchIni(file);
    await symlink('subflowd.ini', join(directory, 'loop'));
    await rename(join(directory, 'loop'), file);
    await until('a mistake', () => events.length > 0);
    expect(events).toEqual([expect.stringContaining('cannot be read: ELOOP')]);
    events = [];
    await replace(file, text('lte'));
    await expectEvents('lte');
  });
});

test('a file that has a mistake at the start is not watched', async () => {
  const file = join(directory, 'subflowd.ini');
  await expect(watchIni(file)).rejects.toThrow(`${file}: does not exist`);
});
