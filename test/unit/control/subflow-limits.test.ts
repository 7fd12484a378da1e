import { expect, it } from 'vitest';
import { excessText } from '../../../src/control/excess-text.js';
import { subflowLimits } from '../../../src/control/subflow-limits.js';
import { ALICE_SESSION } from '../../support/alice.js';
import { configOf } from '../../support/config.js';

const sessionTokens = new Map([[1, new Set([7])]]);

it.each([
  // paths, max-subflows, the limit before OpenVPN has authenticated the client
  [0, 8, 2],
  [1, 8, 2],
  [2, 8, 2],
  [3, 8, 3],
  [20, 8, 8],
  [20, 64, 20],
])(
  'with %i paths and max-subflows = %i a connection without a session has %i subflows',
  (paths, maxSubflows, withoutSession) => {
    const config = configOf([]);
    const path = { name: 'x', prefixes: ['192.0.2.0/24'], maxLoss: 0.1 };
    const limits = subflowLimits(
      {
        ...config,
        steering: { ...config.steering, maxSubflows },
        paths: Array.from({ length: paths }, () => path),
      },
      sessionTokens,
    );
    expect(limits).toEqual({ withSession: maxSubflows, withoutSession, sessionTokens });
  },
);

it('names the clients whose subflows were closed, with and without a session', () => {
  const { pid, real } = ALICE_SESSION;
  const stranger = { address: '192.0.2.9', port: 4000 };
  const worst = [
    { pid, client: stranger, token: 1, limit: 2, closed: 4_999 },
    { pid, client: real, token: 2, limit: 8, closed: 1 },
  ];
  expect(excessText({ closed: 5_003, connections: 5, worst }, [ALICE_SESSION])).toBe(
    `closed 5003 subflows above the limit: 4999 of 192.0.2.9:4000, which has no session at process ${pid}, limit 2; ` +
      `1 of alice, server lab, from ${real.address}:${real.port}, limit 8; and of 3 more connections`,
  );
});
