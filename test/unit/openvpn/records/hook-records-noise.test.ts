import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureEventsDirectory } from '../../../../src/openvpn/records/events-directory.js';
import { HookRecords } from '../../../../src/openvpn/records/hook-records.js';
import { DIRECTORY_NOISE, makeNoise, type DirectoryNoise } from '../../../support/noise-maker.js';
import { until } from '../../../support/until.js';

/** How long each user makes noise, milliseconds. */
const NOISE_MS = 5_000;
/** Longest wait of anything else for the process, in milliseconds: far more than on an idle machine. */
const STILL_MS = 5_000;
/** Within how many milliseconds another user's record must be read. */
const READ_MS = 20_000;
const NOBODY = 65534;

let parent: string;
let directory: string;
let events: HookRecords;
let problems: string[];
/** Keys of the open problems. */
let lasting: Set<string>;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'subflowd-noise-'));
  chmodSync(parent, 0o755);
  directory = join(parent, 'events');
  ensureEventsDirectory(directory);
  problems = [];
  lasting = new Set();
  events = new HookRecords(directory, {
    probe: (pid) => (pid === 100 ? { is: 'openvpn', euid: NOBODY } : { is: 'openvpn', euid: 0 }),
  });
  events
    .on('problem', (text, key) => {
      problems.push(text);
      if (key !== undefined) lasting.add(key);
    })
    .on('resolved', (key) => lasting.delete(key));
  events.start();
});

afterEach(() => {
  events.stop();
  rmSync(parent, { recursive: true, force: true });
});

function record(user: string, name: string, commonName: string): void {
  const [, pid, ip, port] = /^(\d+)-(.+)-(\d+)$/.exec(name) ?? [];
  const file = join(directory, user, name);
  writeFileSync(
    file,
    `subflowd-event=1\0daemon_pid=${pid}\0trusted_ip=${ip}\0trusted_port=${port}\0common_name=${commonName}\0end\0`,
  );
  if (user === 'nobody') chownSync(file, NOBODY, NOBODY);
}

const knows = (commonName: string) => events.records().some(({ record }) => record.commonName === commonName);

/** Returns a function that returns the longest delay of a timer since the call, in milliseconds. */
function stillness(): () => number {
  let last = performance.now();
  let longest = 0;
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 10);
  return () => {
    clearInterval(timer);
    return Math.max(longest, performance.now() - last);
  };
}

describe('while the user of one directory', () => {
  it.each(Object.keys(DIRECTORY_NOISE) as DirectoryNoise[])(
    '%s, records of other users are read, and the process does not block',
    async (kind) => {
      // the directories are watched soon, but no event shows when
      await sleep(200);
      const noise = await makeNoise(kind, join(directory, 'nobody'), NOBODY);
      const longest = stillness();
      const end = performance.now() + NOISE_MS;
      for (let port = 1; performance.now() < end; port++) {
        record('root', `101-192.0.2.7-${port}`, `root${port}`);
        await until('the record of another user', () => knows(`root${port}`), READ_MS);
        // five records a second are few beside the noise
        await sleep(200);
      }
      expect(longest()).toBeLessThan(STILL_MS);
      await noise.stop();

      chmodSync(join(directory, 'nobody'), 0o700);
      record('nobody', '100-192.0.2.9-1', 'after');
      await until('a record of the user itself, afterwards', () => knows('after'));
      await until('no noise is reported', () => ![...lasting].some((key) => key.endsWith(' noise')), 60_000);
      // each kind of problem once, and some files by name
      expect(problems.length).toBeLessThanOrEqual(20);
    },
    120_000,
  );
});
