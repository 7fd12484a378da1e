import { mkdirSync, mkdtempSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, it } from 'vitest';
import { ensureEventsDirectory } from '../../../../src/openvpn/records/events-directory.js';
import { HookRecords } from '../../../../src/openvpn/records/hook-records.js';
import { MAX_USERS } from '../../../../src/openvpn/records/user-directory-list.js';
import { MAX_ENTRIES } from '../../../../src/openvpn/records/record-files.js';
import { until } from '../../../support/until.js';

let directory: string;
let events: HookRecords;
/** By key. */
let problems: Map<string, string>;

beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'subflowd-events-')), 'events');
  ensureEventsDirectory(directory);
  problems = new Map();
  events = new HookRecords(directory, { probe: () => ({ is: 'gone' }), rescanMs: 100 })
    .on('problem', (text, key) => problems.set(key ?? '', text))
    .on('resolved', (key) => problems.delete(key));
});
afterEach(() => {
  events.stop();
  rmSync(join(directory, '..'), { recursive: true });
});

const isReported = (what: string) => [...problems.values()].some((text) => text.includes(what));

it('reports that a directory holds more than 16,384 files while it does', async () => {
  for (let file = 0; file <= MAX_ENTRIES; file++) writeFileSync(join(directory, 'nobody', `x${file}`), '');
  events.start();
  const report = `${directory}/nobody holds more than 16384 files: the others are not read`;
  await until('it is reported', () => isReported(report));
  unlinkSync(join(directory, 'nobody', 'x0'));
  await until('it is over', () => !isReported(report));
});

it('reports more than 64 directories of users while there are as many', async () => {
  for (let user = 0; user < MAX_USERS - 1; user++) mkdirSync(join(directory, `u${user}`), 0o700);
  events.start();
  const report = `${directory} holds more than 64 directories: the others are not read`;
  await until('it is reported', () => isReported(report));
  rmdirSync(join(directory, 'u0'));
  await until('it is over', () => !isReported(report));
});
