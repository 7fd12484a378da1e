import type { Crowd } from './crowd.js';

/** Each lowers the crowd's pressure, so there is an end; this is for the reader's peace. */
const MAX_SWEEPS = 100;

/**
 * Moves sessions one by one from fuller to emptier paths, the fullest path first, until no single move is worth it or
 * the round's moves are spent.
 * @param movable the sessions that may be moved, the largest first: those relieve most with a move each.
 * @param calm the utilisation up to which a path is left alone.
 */
export function relieve(crowd: Crowd, movable: readonly number[], calm: number): void {
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let moved = false;
    const sessions: number[][] = Array.from({ length: crowd.paths }, () => []);
    for (const session of movable) sessions[crowd.at(session)]?.push(session);
    for (const from of crowd.fullestFirst()) {
      if (crowd.utilisation(from) <= calm) break;
      for (const session of sessions[from] ?? []) {
        if (!crowd.affords(session)) continue;
        const to = crowd.better(session);
        if (to < 0) continue;
        crowd.put(session, to);
        moved = true;
      }
    }
    if (!moved) return;
  }
}
