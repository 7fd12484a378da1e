import { beforeEach, describe, expect, it } from 'vitest';
import type { Switch } from '../../../src/control/compare-plans.js';
import { IDLE_AFTER_MS, PendingSwitches } from '../../../src/control/pending-switches.js';
import type { Subflow } from '../../../src/model/subflow.js';
import type { SessionPlan } from '../../../src/steering/plan.js';
import { ALICE_SESSION, LTE, SERVER, WIFI } from '../../support/alice.js';

const AT = 1_000_000;
const TO_LTE: Switch = {
  session: ALICE_SESSION,
  from: 'wifi',
  to: 'lte',
  committedAt: AT,
  reason: 'lte is primary by [default]',
  by: '[default]',
  peerNotified: true,
};
const TO_WIFI: Switch = { ...TO_LTE, from: 'lte', to: 'wifi', committedAt: AT + 200 };

let pending: PendingSwitches;

beforeEach(() => {
  pending = new PendingSwitches();
});

/** A plan of alice alone. @param counters those of her subflow on lte. */
function planOf(counters: Partial<Subflow>, current?: string): { sessions: SessionPlan[] } {
  const subflow = (remote: typeof LTE, more: Partial<Subflow>) =>
    ({ local: SERVER, remote, ours: 'active', peers: 'active', ...more }) as Subflow;
  const subflows = [
    { path: 'wifi', subflow: subflow(WIFI, { bytesAcked: 7_000, bytesReceived: 9_000 }) },
    { path: 'lte', subflow: subflow(LTE, counters) },
  ];
  const session = { session: ALICE_SESSION, subflows, ...(current !== undefined && { current }) };
  return { sessions: [session as unknown as SessionPlan] };
}

describe('a switch', () => {
  it('is reported when the first bytes are acknowledged on the new path, not before', () => {
    expect(pending.update([TO_LTE], planOf({ bytesAcked: 500, unacked: 0 }, 'lte'), AT + 5)).toEqual([]);
    expect(pending.update([], planOf({ bytesAcked: 500, unacked: 3 }, 'lte'), AT + 100)).toEqual([]);
    expect(pending.update([], planOf({ bytesAcked: 501, unacked: 2 }, 'lte'), AT + 200)).toEqual([
      { ...TO_LTE, traffic: 'moved', movedAt: AT + 200 },
    ]);
    expect(pending.isWaiting).toBe(false);
    expect(pending.update([], planOf({ bytesAcked: 900 }, 'lte'), AT + 300)).toEqual([]);
  });

  it('is reported when the first bytes of the client come on the new path', () => {
    pending.update([TO_LTE], planOf({ bytesAcked: 0, bytesReceived: 0 }, 'lte'), AT + 5);
    expect(pending.update([], planOf({ bytesAcked: 0, bytesReceived: 40 }, 'lte'), AT + 90)).toMatchObject([
      { traffic: 'moved' },
    ]);
  });

  it('of a client with nothing to send is reported after the time in which a move is checked', () => {
    pending.update([TO_LTE], planOf({ bytesAcked: 500 }, 'lte'), AT + 5);
    expect(pending.update([], planOf({ bytesAcked: 500 }, 'lte'), AT + IDLE_AFTER_MS - 1)).toEqual([]);
    expect(pending.update([], planOf({ bytesAcked: 500 }, 'lte'), AT + IDLE_AFTER_MS)).toEqual([
      { ...TO_LTE, traffic: 'idle' },
    ]);
  });

  it('to a path that acknowledges nothing is reported as such: when the client is back, or the data still waits', () => {
    pending.update([TO_LTE], planOf({ bytesAcked: 500 }, 'lte'), AT + 5);
    expect(pending.update([TO_WIFI], planOf({ bytesAcked: 500, unacked: 9 }, 'wifi'), AT + 210)).toEqual([
      { ...TO_LTE, traffic: 'none' },
    ]);
    expect(pending.isWaiting).toBe(true);

    pending = new PendingSwitches();
    pending.update([TO_LTE], planOf({ bytesAcked: 500 }, 'lte'), AT + 5);
    const waits = planOf({ bytesAcked: 500, unacked: 9 }, 'lte');
    expect(pending.update([], waits, AT + IDLE_AFTER_MS)).toEqual([{ ...TO_LTE, traffic: 'none' }]);
  });

  it('of a session that ends before anything was acknowledged is reported then', () => {
    pending.update([TO_LTE], planOf({ bytesAcked: 500 }, 'lte'), AT + 5);
    expect(pending.update([], { sessions: [] }, AT + 100)).toEqual([{ ...TO_LTE, traffic: 'none' }]);
  });

  it('is reported at once if the kernel does not count what a subflow carries', () => {
    expect(pending.update([TO_LTE], planOf({}, 'lte'), AT + 5)).toEqual([{ ...TO_LTE, traffic: 'unknown' }]);
  });

  it('that still waits at the end of the daemon is reported then, once', () => {
    pending.update([TO_LTE], planOf({ bytesAcked: 500 }, 'lte'), AT + 5);
    expect(pending.flush()).toEqual([{ ...TO_LTE, traffic: 'unknown' }]);
    expect(pending.flush()).toEqual([]);
  });
});
