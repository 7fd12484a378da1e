import { linkSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchConfig, type ConfigWatcher } from '../../src/config/watch.js';
import { needs } from '../lab/needs.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { until } from '../support/until.js';

/** Milliseconds. The file is checked once a second; the rest is for a busy machine. */
const PATIENCE_MS = 10_000;

const text = (primary: string) =>
  `[openvpn a]\n[path wifi]\nprefix = 10.1.0.0/16\n[path lte]\nprefix = 10.2.0.0/16\n[default]\nprimary = ${primary}\n`;

let directory: string;
/** The file that an admin saves. */
let source: string;
/** The file that subflowd reads. */
let file: string;
let mounts: string[];
let watcher: ConfigWatcher | undefined;
let events: string[];

beforeEach(() => {
  directory = temporaryDirectory();
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

/** Waits for an event, which must be the only one. */
async function expectEvent(event: string): Promise<void> {
  await until(`the event ${event}`, () => events.includes(event), PATIENCE_MS);
  expect(events).toEqual([event]);
  events = [];
}

describe('a config file that is a bind mount of a single file', () => {
  needs('root');

  it('is read again when it is written in place, at either end of the mount', async () => {
    await mount(source, file);
    await watch();
    writeFileSync(source, text('lte'));
    await expectEvent('lte');
    writeFileSync(file, text('wifi, lte'));
    await expectEvent('wifi,lte');
    writeFileSync(source, text('wifi'));
    await expectEvent('wifi');
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
    'while it has a second hard link': () => {
      linkSync(source, join(directory, 'host', 'another'));
      writeFileSync(`${source}.new`, text('lte'));
      renameSync(`${source}.new`, source);
    },
  };

  it.each(Object.keys(replacements))(
    'is reported once when its original is replaced %s, because subflowd does not see later saves',
    async (how) => {
      await mount(source, file);
      await watch();
      replacements[how]?.();
      await expectEvent(
        `${file}: is a file that is mounted by itself, and the original was replaced: subflowd does not see what is ` +
          'saved there; mount its directory instead, and restart subflowd',
      );
      // A later write to the old file is applied without another report.
      writeFileSync(file, text('lte, wifi'));
      await expectEvent('lte,wifi');
    },
  );

  it('is read again after something is mounted on it, and after that is unmounted', async () => {
    writeFileSync(source, text('lte'));
    await watch();
    await mount(source, file);
    await expectEvent('lte');
    await unmount();
    await expectEvent('wifi');
    writeFileSync(file, text('lte, wifi'));
    await expectEvent('lte,wifi');
  });

  it('is read again after something is mounted on its directory, and after that is unmounted', async () => {
    writeFileSync(source, text('lte'));
    await watch();
    await mount(join(directory, 'host'), join(directory, 'container'));
    await expectEvent('lte');
    writeFileSync(source, text('lte, wifi'));
    await expectEvent('lte,wifi');
    await unmount();
    await expectEvent('wifi');
  });
});
