import { describe, expect, it } from 'vitest';
import { ClientSlots } from '../../../../src/console/listen/client-slots.js';

const A = 54_321;
const B = 54_322;
const C = 54_323;

function fill(places: ClientSlots, uid: number | undefined, most = 1000): number {
  let taken = 0;
  while (taken < most && places.take(uid) === undefined) taken += 1;
  return taken;
}

describe('the places at a console', () => {
  it('a user can take 24 of, and root the rest', () => {
    const places = new ClientSlots();
    expect(fill(places, A)).toBe(24);
    expect(places.take(A)).toBe(
      `user ${A} has 24 clients connected already, the most that one user may have`,
    );
    expect(fill(places, 0)).toBe(40);
    expect(places.take(0)).toBe('64 clients are connected already');
  });

  it('users together can take all of but 16', () => {
    const places = new ClientSlots();
    expect([fill(places, A), fill(places, B), fill(places, C)]).toEqual([24, 24, 0]);
    expect(places.take(C)).toBe(
      '48 clients are connected already, and the other 16 connections are reserved for root',
    );
    expect(fill(places, 0)).toBe(16);
  });

  it('are free again when somebody leaves', () => {
    const places = new ClientSlots();
    fill(places, A);
    fill(places, B);
    places.free(A);
    expect(places.take(C)).toBeUndefined();
    places.free(C);
    expect(fill(places, A)).toBe(1);
  });

  it('of nobody knows whom are those of one user', () => {
    expect(fill(new ClientSlots(), undefined)).toBe(24);
  });
});
