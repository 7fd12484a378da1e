import type { BalanceInput } from '../../src/steering/balancer/balance.js';

/**
 * The utilisation of the fullest path in the best distribution, with each session on one path; 1 is full. Tries all
 * distributions, except those that begin worse than the best so far.
 */
export function exactOptimum({ paths, sessions }: BalanceInput): number {
  const full = paths.flatMap(({ capacity, other }) =>
    (['down', 'up'] as const).map(
      (direction) => (other?.[direction] ?? 0) / (capacity?.[direction] ?? Infinity),
    ),
  );
  const choices = [...sessions]
    .sort((a, b) => b.rate.down + b.rate.up - a.rate.down - a.rate.up)
    .map(({ rate, allowed, cost }) =>
      paths.flatMap(({ name, capacity }, path) => {
        if (!allowed.includes(name) || !capacity) return [];
        const counts = cost?.get(name) ?? 1;
        return [{ path, down: (counts * rate.down) / capacity.down, up: (counts * rate.up) / capacity.up }];
      }),
    );
  let best = Infinity;
  const place = (session: number, fullest: number): void => {
    if (fullest >= best) return;
    const own = choices[session];
    if (!own) {
      best = fullest;
      return;
    }
    for (const { path, down, up } of own) {
      const [d, u] = [full[2 * path] ?? 0, full[2 * path + 1] ?? 0];
      full[2 * path] = d + down;
      full[2 * path + 1] = u + up;
      place(session + 1, Math.max(fullest, d + down, u + up));
      full[2 * path] = d;
      full[2 * path + 1] = u;
    }
  };
  place(0, Math.max(0, ...full));
  return best;
}
