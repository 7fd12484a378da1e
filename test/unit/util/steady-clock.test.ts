import { beforeEach, describe, expect, it } from 'vitest';
import { ACCEPTED_AFTER_MS, SteadyClock } from '../../../src/util/steady-clock.js';

const START = Date.parse('2026-11-28');
const MONTH = 31 * 86_400_000;

let wall: number;
let uptime: number;
let clock: SteadyClock;

function pass(milliseconds: number): void {
  wall += milliseconds;
  uptime += milliseconds;
}

describe('a steady clock', () => {
  beforeEach(() => {
    [wall, uptime] = [START, 5000];
    clock = new SteadyClock({ wall: () => wall, uptime: () => uptime });
  });

  it('is Unix time, also after the host was suspended', () => {
    pass(3 * MONTH);
    expect(clock.now()).toBe(wall);
    expect(clock.uptime()).toBe(uptime);
  });

  it('follows small corrections at once', () => {
    wall += 900;
    expect(clock.now()).toBe(START + 900);
  });

  it.each([MONTH, -MONTH])('ignores a jump of %i ms that is taken back within ten minutes', (jump) => {
    wall += jump;
    clock.now();
    pass(ACCEPTED_AFTER_MS - 1);
    expect(clock.now()).toBe(START + ACCEPTED_AFTER_MS - 1);
    wall -= jump;
    pass(ACCEPTED_AFTER_MS);
    expect(clock.now()).toBe(wall);
  });

  it.each([MONTH, -MONTH])('follows a jump of %i ms that lasts ten minutes', (jump) => {
    wall += jump;
    clock.now();
    pass(ACCEPTED_AFTER_MS);
    expect(clock.now()).toBe(wall);
  });

  it('begins the ten minutes again after a further jump', () => {
    wall += MONTH;
    clock.now();
    pass(ACCEPTED_AFTER_MS - 1);
    wall += MONTH;
    expect(clock.now()).toBe(START + ACCEPTED_AFTER_MS - 1);
    pass(1);
    expect(clock.now()).toBe(START + ACCEPTED_AFTER_MS);
  });
});
