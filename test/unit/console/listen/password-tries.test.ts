import { describe, expect, it } from 'vitest';
import { PasswordTries, TRY_LIMITS } from '../../../../src/console/listen/password-tries.js';
import { PendingLogins } from '../../../../src/console/listen/pending-logins.js';
import { WrongPasswords } from '../../../../src/console/listen/wrong-passwords.js';
import { until } from '../../../support/until.js';

describe('passwords that are tried', () => {
  it('wait longer after each wrong one of their source, whatever connections they come by', () => {
    let now = 0;
    const tries = new PasswordTries(TRY_LIMITS, () => now);
    const waits = Array.from({ length: 12 }, () => {
      const wait = tries.nextDelayMs('a');
      now += wait;
      tries.wasWrong('a');
      return wait;
    });
    expect(waits).toEqual([0, 0, 0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
    // four that come at once wait for one another
    const together = Array.from({ length: 4 }, () => tries.nextDelayMs('a'));
    expect(together).toEqual([15_000, 30_000, 45_000, 60_000]);
  });

  it('of other sources do not wait', () => {
    const tries = new PasswordTries();
    for (let count = 0; count < 100; count++) tries.wasWrong('a');
    expect(tries.nextDelayMs('b')).toBe(0);
  });

  it('wait no longer when one is right, or ten minutes after the last wrong one', () => {
    let now = 0;
    const tries = new PasswordTries(TRY_LIMITS, () => now);
    for (let count = 0; count < 10; count++) tries.wasWrong('a');
    expect(tries.nextDelayMs('a')).toBeGreaterThan(0);
    tries.wasRight('a');
    expect(tries.nextDelayMs('a')).toBe(0);
    for (let count = 0; count < 10; count++) tries.wasWrong('a');
    now += TRY_LIMITS.forgetMs + 1;
    expect(tries.nextDelayMs('a')).toBe(0);
  });

  it('are remembered of 4096 sources, those that were heard of last', () => {
    const tries = new PasswordTries(TRY_LIMITS, () => 0);
    for (let count = 0; count < 5; count++) tries.wasWrong('first');
    for (let source = 0; source < 4095; source++) tries.wasWrong(String(source));
    expect(tries.nextDelayMs('first')).toBeGreaterThan(0);
    tries.wasWrong('one more');
    expect(tries.nextDelayMs('first')).toBe(0);
  });
});

describe('those who are to give a password', () => {
  const room = new PendingLogins();
  const out: string[] = [];
  const enter = (source: string, id: string) => {
    room.add({ source, disconnect: () => out.push(id) });
  };

  it('are four of one source at most, and one of another is never turned away', () => {
    for (let id = 0; id < 4; id++) {
      expect(room.refusal('noise')).toBeUndefined();
      enter('noise', `noise ${id}`);
    }
    expect(room.refusal('noise')).toBe('4 connections from noise have not given the password yet');
    for (let id = 0; id < 28; id++) {
      expect(room.refusal(`other ${id}`)).toBeUndefined();
      enter(`other ${id}`, `other ${id}`);
    }
    expect(out).toEqual([]);
    for (let id = 0; id < 5; id++) {
      expect(room.refusal(`late ${id}`)).toBeUndefined();
      enter(`late ${id}`, `late ${id}`);
    }
    // who waits longest, of the source that has most
    expect(out).toEqual(['noise 0', 'noise 1', 'noise 2', 'noise 3', 'other 0']);
  });
});

it('wrong passwords are reported once a source, of ten sources, and then how many more there were', async () => {
  const told: string[] = [];
  const wrong = new WrongPasswords((text) => told.push(text), 200);
  for (let count = 0; count < 48_843; count++) wrong.add('192.0.2.1');
  for (let source = 0; source < 5000; source++) wrong.add(`user ${source}`);
  expect(told).toHaveLength(10);
  expect(told[0]).toBe('a wrong password from 192.0.2.1');
  await until('the time is over', () => told.length === 12);
  expect(told.slice(10)).toEqual([
    '48842 more wrong passwords from 192.0.2.1',
    '4991 more wrong passwords from other sources',
  ]);
  wrong.add('192.0.2.1');
  wrong.close();
  expect(told.slice(12)).toEqual(['a wrong password from 192.0.2.1']);
});
