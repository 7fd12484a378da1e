import { beforeEach, describe, expect, it } from 'vitest';
import type { RuleConfig } from '../../../src/config/config.js';
import type { Rate } from '../../../src/model/rate.js';
import { plan, type SessionPlan } from '../../../src/steering/plan.js';
import {
  BETWEEN_REJOINS_MS,
  IDLE_FOR_MS,
  MAX_REJOINS_PER_HOUR,
  NO_REJOINS,
  stepRejoins,
  type RejoinState,
} from '../../../src/steering/rejoin.js';
import { configOf, standby } from '../../support/config.js';
import { connection, LTE, NONE, session, WIFI } from '../../support/plans.js';

const MINUTE = 60_000;
const IDLE: Rate = { down: 100, up: 50 };
const BUSY: Rate = { down: 1e6, up: 0 };

interface Seen {
  readonly name?: string;
  readonly number?: number;
  readonly rule?: Partial<RuleConfig>;
  readonly on?: readonly string[];
  readonly rate?: Rate;
  readonly isMeasured?: boolean;
  /** Whether its rule has `rejoin-after`. */
  readonly isOn?: boolean;
}

function planned({ name = 'alice', number = 1, on = [], ...seen }: Seen): SessionPlan {
  const { rule, rate = IDLE, isMeasured = true, isOn = true } = seen;
  const own = session(name, number);
  // no subflow: its connection could not be observed
  const observed = { session: own, connection: on.length > 0 ? connection(own, ...on) : undefined };
  const config = configOf([], {
    default: { ...standby(['wifi', 'lte']), ...(isOn && { rejoinAfter: 5 * MINUTE }), ...rule },
  });
  const [only] = plan({ sessions: [observed] }, config, NONE).sessions;
  if (!only) throw new Error('a plan without the session');
  return { ...only, ...(isMeasured && { rate }) };
}

let state: RejoinState;
let now: number;

/** Runs a round each second for this long. @returns `NAME: PATHS after SECONDS` of each client that is disconnected. */
function run(milliseconds: number, seen: Seen | readonly Seen[], isDryRun = false): string[] {
  const plans = [seen].flat().map(planned);
  const rejoins: string[] = [];
  const start = now;
  for (const end = now + milliseconds; now < end; now += 1000) {
    const step = stepRejoins(state, plans, isDryRun, now);
    ({ state } = step);
    if (step.rejoin)
      rejoins.push(
        `${step.rejoin.session.commonName}: ${step.rejoin.paths.join(' ')} after ${(now - start) / 1000}`,
      );
  }
  return rejoins;
}

const BOTH = { on: [WIFI, LTE] };
const ONLY_LTE = { on: [LTE] };

describe('a client that lost a wanted path', () => {
  beforeEach(() => {
    [state, now] = [NO_REJOINS, 1e6];
    expect(run(1000, BOTH)).toEqual([]);
  });

  it('is disconnected once, when the time of its rule is over', () => {
    expect(run(20 * MINUTE, ONLY_LTE)).toEqual(['alice: wifi after 300']);
  });

  it('is not disconnected if the path comes back in time', () => {
    expect(run(4 * MINUTE, ONLY_LTE)).toEqual([]);
    expect(run(1000, BOTH)).toEqual([]);
    expect(run(5 * MINUTE, ONLY_LTE)).toEqual([]);
  });

  it('is not disconnected while it carries something, but some seconds later', () => {
    expect(run(10 * MINUTE, { ...ONLY_LTE, rate: BUSY })).toEqual([]);
    expect(run(MINUTE, ONLY_LTE)).toEqual([`alice: wifi after ${IDLE_FOR_MS / 1000}`]);
  });

  it('is not disconnected while its rate is not known', () => {
    const plans = [planned({ ...ONLY_LTE, isMeasured: false })];
    for (let step = 0; step < 600; step++)
      expect(stepRejoins(state, plans, false, (now += 1000)).rejoin).toBeUndefined();
  });

  it('is not disconnected in a dry run', () => {
    expect(run(20 * MINUTE, ONLY_LTE, true)).toEqual([]);
    expect(run(1000, ONLY_LTE)).toEqual(['alice: wifi after 0']);
  });

  it('is not disconnected if its rule does not ask for that, or does not want the path', () => {
    expect(run(20 * MINUTE, { ...ONLY_LTE, isOn: false })).toEqual([]);
    expect(run(20 * MINUTE, { ...ONLY_LTE, rule: { primary: ['lte'] } })).toEqual([]);
  });

  it('is not disconnected again after it came back without the path', () => {
    expect(run(6 * MINUTE, ONLY_LTE)).toHaveLength(1);
    expect(run(20 * MINUTE, { ...ONLY_LTE, number: 2 })).toEqual([]);
  });

  it('keeps its time while an observation fails', () => {
    expect(run(3 * MINUTE, ONLY_LTE)).toEqual([]);
    expect(run(MINUTE, { on: [] })).toEqual([]);
    expect(run(3 * MINUTE, ONLY_LTE)).toEqual(['alice: wifi after 60']);
  });
});

describe('disconnections', () => {
  beforeEach(() => {
    [state, now] = [NO_REJOINS, 1e6];
  });

  it('of one client are two in an hour', () => {
    const rule = { rejoinAfter: 10_000 };
    const found: string[] = [];
    for (let number = 1; number <= 10; number++) {
      run(1000, { ...BOTH, number, rule });
      found.push(...run(5 * MINUTE, { ...ONLY_LTE, number, rule }));
    }
    expect(found).toHaveLength(MAX_REJOINS_PER_HOUR);
    now += 60 * MINUTE;
    run(1000, { ...BOTH, number: 11, rule });
    expect(run(5 * MINUTE, { ...ONLY_LTE, number: 11, rule })).toHaveLength(1);
  });

  it('of several clients are a second apart', () => {
    const clients = [1, 2, 3].map((number) => ({ name: `client${number}`, number }));
    run(
      1000,
      clients.map((client) => ({ ...client, ...BOTH })),
    );
    expect(
      run(
        6 * MINUTE,
        clients.map((client) => ({ ...client, ...ONLY_LTE })),
      ),
    ).toEqual(
      [0, 1, 2].map((index) => `client${index + 1}: wifi after ${300 + (index * BETWEEN_REJOINS_MS) / 1000}`),
    );
  });
});

it('a client that never had the path in this connection is not disconnected', () => {
  [state, now] = [NO_REJOINS, 1e6];
  expect(run(20 * MINUTE, ONLY_LTE)).toEqual([]);
});
