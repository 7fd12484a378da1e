import type { Distribution } from './distribution.js';

/** Safety bound: each sweep lowers the pressure, so the loop always ends. */
const MAX_SWEEPS = 100;

/**
 * Moves sessions one by one from fuller to emptier paths, the fullest path first. Ends when no single move is worth
 * it, or no more moves are allowed in this round.
 * @param movable the sessions that may be moved, the largest first: to move one of these relieves a path most.
 * @param negligible the utilisation up to which a path is not relieved.
 */
export function relieve(distribution: Distribution, movable: readonly number[], negligible: number): void {
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    let hasMoved = false;
    const sessions: number[][] = Array.from({ length: distribution.paths }, () => []);
    for (const session of movable) sessions[distribution.pathOf(session)]?.push(session);
    for (const from of distribution.fullestFirst()) {
      if (distribution.utilisation(from) <= negligible) break;
      for (const session of sessions[from] ?? []) {
        if (!distribution.canMove(session)) continue;
        const to = distribution.betterPath(session);
        if (to < 0) continue;
        distribution.move(session, to);
        hasMoved = true;
      }
    }
    if (!hasMoved) return;
  }
}
