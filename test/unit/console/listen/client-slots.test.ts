import { describe, expect, it } from 'vitest';
import { ClientSlots } from '../../../../src/console/listen/client-slots.js';

const A = 54_321;
const B = 54_322;
const C = 54_323;

function fill(slots: ClientSlots, uid: number | undefined, most = 1000): number {
  let taken = 0;
  while (taken < most && slots.take(uid) === undefined) taken += 1;
  return taken;
}

describe('the slots of a console', () => {
  it('one user can take 24, and root the rest', () => {
    const slots = new ClientSlots();
    expect(fill(slots, A)).toBe(24);
    expect(slots.take(A)).toBe(`user ${A} has 24 clients connected already, the most that one user may have`);
    expect(fill(slots, 0)).toBe(40);
    expect(slots.take(0)).toBe('64 clients are connected already');
  });

  it('all users together can take all but 16', () => {
    const slots = new ClientSlots();
    expect([fill(slots, A), fill(slots, B), fill(slots, C)]).toEqual([24, 24, 0]);
    expect(slots.take(C)).toBe(
      '48 clients are connected already, and the other 16 connections are reserved for root',
    );
    expect(fill(slots, 0)).toBe(16);
  });

  it('are free again when a client leaves', () => {
    const slots = new ClientSlots();
    fill(slots, A);
    fill(slots, B);
    slots.free(A);
    expect(slots.take(C)).toBeUndefined();
    slots.free(C);
    expect(fill(slots, A)).toBe(1);
  });

  it('of all unknown users count as those of one user', () => {
    expect(fill(new ClientSlots(), undefined)).toBe(24);
  });
});
