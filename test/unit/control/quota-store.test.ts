import { mkdirSync, readFileSync, rmSync, writeFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspectQuotas, MAX_FILE_BYTES, readQuotas } from '../../../src/control/quota-file.js';
import { QuotaStore } from '../../../src/control/quota-store.js';
import { plan } from '../../../src/steering/plan.js';
import { connection, LTE, NONE, session, WIFI } from '../../support/plans.js';
import { configOf, standby } from '../../support/config.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { until } from '../../support/until.js';

const CONFIG = configOf([], {
  default: {
    ...standby(['wifi', 'lte']),
    quota: { lte: { bytes: 1000, period: 'month', units: 'decimal' } },
  },
});

let file: string;
let problems: string[];
let resolved: string[];
let opened: QuotaStore[];

function open(): QuotaStore {
  const store = new QuotaStore(file, {
    onProblem: (text, key) => problems.push(`${key}: ${text}`),
    onResolved: (key) => resolved.push(key),
  });
  opened.push(store);
  return store;
}

/** A round in which alice's subflow on lte has carried this many bytes in all. */
function round(store: QuotaStore, bytes: number): void {
  const alice = { ...session('alice'), since: Date.now() / 1000 };
  const { subflows, ...rest } = connection(alice, WIFI, LTE);
  const counted = subflows.map((each) => ({
    ...each,
    bytesAcked: each.remote.address === LTE ? bytes : 0,
    bytesReceived: 0,
  }));
  const snapshot = { sessions: [{ session: alice, connection: { ...rest, subflows: counted } }] };
  store.addRound(plan(snapshot, CONFIG, NONE));
}

function usedOf(store: QuotaStore): number {
  const days = store.accounts().byClient.get('a/alice')?.get('lte') ?? new Map<number, number>();
  return [...days.values()].reduce((sum, bytes) => sum + bytes, 0);
}

beforeEach(() => {
  file = path.join(temporaryDirectory(), 'state', 'quotas.json');
  [problems, resolved, opened] = [[], [], []];
});

afterEach(async () => {
  for (const store of opened) await store.close();
});

describe('what clients carried', () => {
  it('is in the file after a stop, and counts once after the next start', async () => {
    const store = open();
    round(store, 400);
    await store.close();
    const again = open();
    expect(usedOf(again)).toBe(400);
    round(again, 450);
    expect(usedOf(again)).toBe(450);
    expect(problems).toEqual([]);
  });

  it('is in the file some seconds after it changed, and a crash then loses nothing that the kernel still shows', async () => {
    const store = open();
    round(store, 400);
    round(store, 500);
    expect(readdirSync(path.dirname(path.dirname(file)))).toEqual([]);
    await until('the file', () => 'ledger' in readQuotas(file) && usedOf(open()) === 500, 15_000);
    round(store, 600);
    // the process ends here without another write
    const again = open();
    expect(usedOf(again)).toBe(500);
    round(again, 650);
    expect(usedOf(again)).toBe(650);
  }, 20_000);

  it('needs no file while no client has a quota', async () => {
    const store = open();
    store.addRound({ sessions: [] });
    await store.close();
    expect(() => readFileSync(file)).toThrow('ENOENT');
  });

  it('is written later if the disk refuses it now', async () => {
    writeFileSync(path.dirname(file), '');
    const store = open();
    round(store, 400);
    await until('the problem', () => problems.length > 0, 15_000);
    expect(problems[0]).toMatch(
      /^write: what clients carried against their quotas is lost if subflowd stops: .*ENOTDIR/,
    );
    rmSync(path.dirname(file));
    await store.close();
    expect(resolved).toEqual(['write']);
    expect(usedOf(open())).toBe(400);
  }, 20_000);
});

describe('a file of quotas', () => {
  it.each([
    '',
    '{',
    '{"version":2,"accounts":[],"connections":[]}',
    '{"version":1,"accounts":{},"connections":[]}',
  ])('that is damaged, %j, is renamed, and counting begins again', async (text) => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, text);
    const store = open();
    expect(problems).toEqual([
      `read: ${file} is not a file of quotas: what clients carried against their quotas counts from now on; ` +
        `the file was renamed to ${file}.damaged`,
    ]);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(text);
    round(store, 7);
    await store.close();
    expect(usedOf(open())).toBe(7);
  });

  it('that cannot be read stays as it is', async () => {
    mkdirSync(file, { recursive: true });
    const store = open();
    expect(problems).toEqual([
      `read: ${file} is not a regular file: what clients carried against their quotas counts from now on, and is not ` +
        'kept; make it readable and restart subflowd',
    ]);
    round(store, 7);
    expect(usedOf(store)).toBe(7);
    await store.close();
    await sleep(0);
    expect(readdirSync(file)).toEqual([]);
  });

  it('of more than 64 MiB is not read', () => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, Buffer.alloc(MAX_FILE_BYTES + 1));
    expect(readQuotas(file)).toMatchObject({ state: 'unreadable', problem: `${file} is larger than 64 MiB` });
  });
});

describe('doctor', () => {
  it('finds nothing wrong where there is no file', () => {
    expect(inspectQuotas(file)).toEqual([]);
  });

  it('reports a damaged file, and what it was renamed to', () => {
    mkdirSync(path.dirname(file));
    writeFileSync(file, 'no ledger');
    expect(inspectQuotas(file)).toMatchObject([
      { problem: `${file} is not a file of quotas`, isUnusable: true },
    ]);
    open();
    expect(inspectQuotas(file)).toMatchObject([
      {
        problem: expect.stringContaining(`was renamed to ${file}.damaged`) as string,
        remedy: expect.stringContaining(`rm ${file}.damaged`) as string,
        isUnusable: false,
      },
    ]);
  });
});
