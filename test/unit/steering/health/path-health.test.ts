import { describe, expect, test } from 'vitest';
import type { Health } from '../../../../src/model/health.js';
import {
  stepPathHealth,
  UNKNOWN_PATH,
  type PathHealth,
  type PathUser,
} from '../../../../src/steering/health/path-health.js';

const user = (key: string, health: Health, more: Partial<PathUser> = {}): PathUser => ({
  key,
  health,
  acknowledgedAt: 0,
  carriedAt: health === 'carries' ? 0 : -Infinity,
  mayVolunteer: true,
  isReluctant: false,
  ...more,
});

const step = (users: readonly PathUser[], now = 0, before: PathHealth = UNKNOWN_PATH) =>
  stepPathHealth(before, users, now);

describe('a path', () => {
  test.each<[Health[], Health]>([
    [[], 'idle'],
    [['idle', 'idle'], 'idle'],
    [['carries'], 'carries'],
    [['dead'], 'dead'],
    [['dead', 'carries'], 'carries'],
    [['dead', 'dead', 'carries'], 'dead'],
    // those that have nothing to send say nothing
    [['dead', 'idle', 'idle'], 'dead'],
    [['lossy', 'lossy', 'carries'], 'lossy'],
  ])('whose subflows are %j is %s', (all, health) => {
    expect(step(all.map((one, index) => user(String(index), one))).health).toBe(health);
  });

  test('is closed while it is dead, and for a pause after that', () => {
    const dead = step([user('a', 'dead')], 1000);
    expect(dead).toMatchObject({ access: 'closed', since: 1000 });
    const later = step([user('a', 'dead')], 9000, dead);
    expect(later).toMatchObject({ access: 'closed', since: 1000, failed: { failures: 1, lastBad: 9000 } });
    expect(step([user('a', 'idle')], 13_999, later).access).toBe('closed');
    expect(step([user('a', 'idle')], 14_000, later).access).toBe('trial');
  });

  const inTrial = step([user('a', 'idle'), user('b', 'carries', { carriedAt: 4000 })], 5000, {
    health: 'dead',
    access: 'closed',
    since: 0,
    failed: { because: 'dead', failures: 1, lastBad: 0 },
  });

  test('is tried by the session for which it carried something last', () => {
    expect(inTrial).toMatchObject({ access: 'trial', volunteer: 'b' });
  });

  test('is not tried by a session that may not, or whose own subflow there is dead', () => {
    const users = [user('a', 'carries', { mayVolunteer: false }), user('b', 'dead'), user('c', 'idle')];
    const closed: PathHealth = { health: 'dead', access: 'closed', since: 0 };
    expect(step([...users, user('d', 'carries', { mayVolunteer: false })], 9000, closed)).toMatchObject({
      access: 'trial',
      volunteer: 'c',
    });
  });

  test('is tried by a session that is over its quota there only if no other can', () => {
    const reluctant = user('a', 'carries', { isReluctant: true, carriedAt: 8000 });
    const closed: PathHealth = { health: 'dead', access: 'closed', since: 0 };
    expect(step([reluctant, user('b', 'idle', { carriedAt: 10 })], 9000, closed).volunteer).toBe('b');
    expect(step([reluctant, user('b', 'dead')], 9000, closed).volunteer).toBe('a');
  });

  test('is open after it carried for three seconds of the trial', () => {
    expect(step([user('b', 'carries', { carriedAt: 7999 })], 8000, inTrial).access).toBe('trial');
    expect(step([user('b', 'carries', { carriedAt: 8000 })], 8000, inTrial).access).toBe('open');
  });

  test('is open after ten seconds without anybody who could try it', () => {
    expect(step([], 14_999, inTrial).access).toBe('trial');
    expect(step([], 15_000, inTrial).access).toBe('open');
  });

  test('is closed for longer if the trial fails', () => {
    const failed = step([user('b', 'dead')], 6000, inTrial);
    expect(failed).toMatchObject({ access: 'closed', failed: { failures: 2, lastBad: 6000 } });
    expect(step([user('b', 'idle')], 15_999, failed).access).toBe('closed');
    expect(step([user('b', 'idle')], 16_000, failed).access).toBe('trial');
  });
});
