import { describe, expect, it } from 'vitest';
import { PasswordTries, TRY_LIMITS } from '../../../../src/console/listen/password-tries.js';
import { PendingLogins } from '../../../../src/console/listen/pending-logins.js';
import { WrongPasswords } from '../../../../src/console/listen/wrong-passwords.js';
import { until } from '../../../support/until.js';

describe('password tries', () => {
  it('wait longer after each wrong password of their source, over all its connections', () => {
    let now = 0;
    const tries = new PasswordTries(TRY_LIMITS, () => now);
    const waits = Array.from({ length: 12 }, () => {
      const wait = tries.nextDelayMs('a');
      now += wait;
      tries.wasWrong('a');
      return wait;
    });
    expect(waits).toEqual([0, 0, 0, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
    // four at once are checked one after the other
    const together = Array.from({ length: 4 }, () => tries.nextDelayMs('a'));
    expect(together).toEqual([15_000, 30_000, 45_000, 60_000]);
  });

  it('of other sources do not wait', () => {
    const tries = new PasswordTries();
    for (let count = 0; count < 100; count++) tries.wasWrong('a');
    expect(tries.nextDelayMs('b')).toBe(0);
  });

  it('do not wait after a right password, or ten minutes after the last wrong one', () => {
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

  it('are kept for 4096 sources, those with the latest wrong passwords', () => {
    const tries = new PasswordTries(TRY_LIMITS, () => 0);
    for (let count = 0; count < 5; count++) tries.wasWrong('first');
    for (let source = 0; source < 4095; source++) tries.wasWrong(String(source));
    expect(tries.nextDelayMs('first')).toBeGreaterThan(0);
    tries.wasWrong('one more');
    expect(tries.nextDelayMs('first')).toBe(0);
  });
});

describe('connections that have not given the password', () => {
  const room = new PendingLogins();
  const out: string[] = [];
  const enter = (source: string, id: string) => {
    room.add({ source, disconnect: () => out.push(id) });
  };

  it('are at most four of one source, and another source is never rejected', () => {
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
    // the oldest connection of the source that has most
    expect(out).toEqual(['noise 0', 'noise 1', 'noise 2', 'noise 3', 'other 0']);
  });
});

it('wrong passwords are reported once for each of ten sources, and then the number of the others', async () => {
  const reports: string[] = [];
  const wrong = new WrongPasswords((text) => reports.push(text), 200);
  for (let count = 0; count < 48_843; count++) wrong.add('192.0.2.1');
  for (let source = 0; source < 5000; source++) wrong.add(`user ${source}`);
  expect(reports).toHaveLength(10);
  expect(reports[0]).toBe('a wrong password from 192.0.2.1');
  await until('the time is over', () => reports.length === 12);
  expect(reports.slice(10)).toEqual([
    '48842 more wrong passwords from 192.0.2.1',
    '4991 more wrong passwords from other sources',
  ]);
  wrong.add('192.0.2.1');
  wrong.close();
  expect(reports.slice(12)).toEqual(['a wrong password from 192.0.2.1']);
});
