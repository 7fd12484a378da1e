import { linkSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchConfig, type ConfigWatcher } from '../../src/config/watch.js';
import { needs } from '../lab/needs.js';
import { until } from '../support/until.js';

/** Milliseconds: a look each second, on a machine that may stand still for a while. */
const SECONDS = 10_000;

const text = (primary: string) =>
  `[openvpn a]\n[path wifi]\nprefix = 10.1.0.0/16\n[path lte]\nprefix = 10.2.0.0/16\n[default]\nprimary = ${primary}\n`;

let directory: string;
/** Where an admin saves. */
let source: string;
/** What subflowd reads. */
let file: string;
let mounts: string[];
let watcher: ConfigWatcher | undefined;
let events: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-mounts-'));
  for (const name of ['host', 'container']) mkdirSync(join(directory, name));
  source = join(directory, 'host', 'subflowd.ini');
  file = join(directory, 'container', 'subflowd.ini');
  for (const each of [source, file]) writeFileSync(each, text('wifi'));
  mounts = [];
  events = [];
});
afterEach(async () => {
  await watcher?.close();
  watcher = undefined;
  for (const mount of mounts.reverse()) await execa('umount', ['--lazy', mount]);
  rmSync(directory, { recursive: true });
});

async function mount(from: string, to: string): Promise<void> {
  await execa('mount', ['--bind', from, to]);
  mounts.push(to);
}

async function unmount(): Promise<void> {
  await execa('umount', [mounts.pop() ?? '']);
}

async function watch(): Promise<void> {
  watcher = await watchConfig(file, {
    onConfig: (config) => events.push(config.default.primary.join()),
    onMistake: ({ message }) => events.push(message),
  });
}

async function comes(event: string): Promise<void> {
  await until(`${event} is seen`, () => events.includes(event), SECONDS);
  expect(events).toEqual([event]);
  events = [];
}

describe('a config file that is mounted by itself', () => {
  needs('root');

  it('is read again when it is written in place, where it is mounted from or where it is mounted', async () => {
    await mount(source, file);
    await watch();
    writeFileSync(source, text('lte'));
    await comes('lte');
    writeFileSync(file, text('wifi, lte'));
    await comes('wifi,lte');
    writeFileSync(source, text('wifi'));
    await comes('wifi');
  });

  const replacements: Readonly<Record<string, () => void>> = {
    'by a new file': () => {
      writeFileSync(`${source}.new`, text('lte'));
      renameSync(`${source}.new`, source);
    },
    'by an editor that keeps it as a backup': () => {
      renameSync(source, `${source}~`);
      writeFileSync(source, text('lte'));
    },
    'while it has another name there': () => {
      linkSync(source, join(directory, 'host', 'another'));
      writeFileSync(`${source}.new`, text('lte'));
      renameSync(`${source}.new`, source);
    },
  };

  it.each(Object.keys(replacements))(
    'is reported once when it is replaced where it is mounted from, %s, which cannot be seen',
    async (how) => {
      await mount(source, file);
      await watch();
      replacements[how]?.();
      await comes(
        `${file}: is a file that is mounted by itself, and the original was replaced: subflowd does not see what is ` +
          'saved there; mount its directory instead, and restart subflowd',
      );
      // what is still written to the old one is in force, without another word of that
      writeFileSync(file, text('lte, wifi'));
      await comes('lte,wifi');
    },
  );

  it('is read when something is mounted on it, and when that is gone again', async () => {
    writeFileSync(source, text('lte'));
    await watch();
    await mount(source, file);
    await comes('lte');
    await unmount();
    await comes('wifi');
    writeFileSync(file, text('lte, wifi'));
    await comes('lte,wifi');
  });

  it('is read when something is mounted on its directory, and when that is gone again', async () => {
    writeFileSync(source, text('lte'));
    await watch();
    await mount(join(directory, 'host'), join(directory, 'container'));
    await comes('lte');
    writeFileSync(source, text('lte, wifi'));
    await comes('lte,wifi');
    await unmount();
    await comes('wifi');
  });
});
