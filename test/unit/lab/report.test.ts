import { expect, test } from 'vitest';
import { shortcomings, type Report, type SwitchReport } from '../../lab/report.js';

const moved: SwitchReport = {
  client: 'alice',
  from: 'wifi',
  to: 'lte',
  by: 'file',
  requestedMs: 10,
  committedMs: 20,
  firstPacketOnNewPathMs: 21,
  shareOnNewPathAfter1s: 0.995,
  shareToClientAfter1s: 1,
  shareToServerAfter1s: 0.9,
  mpPrioSent: 2,
  mpPrioReceived: 2,
};

const wanted = { bytes: 100, notifiesClient: true };

function report(one: Partial<SwitchReport>, transfer: Partial<Report['transfer']> = {}): Report {
  return {
    backend: 'devmem',
    writes: '',
    kernel: '6.1',
    openvpn: '2.6',
    transfer: { bytes: 100, sha256Matches: true, reconnects: 0, ...transfer },
    rule: { client: 'alice', primary: 'wifi', connectedMs: 1, committedMs: 2 },
    switches: [{ ...moved, ...one }],
    paths: [],
    trouble: { server: {}, client: {} },
  };
}

test('a switch that moved the payload and notified the client reaches the goal', () => {
  expect(shortcomings(report({}), wanted)).toEqual([]);
});

test.each([
  ['too little on the new path', report({ shareOnNewPathAfter1s: 0.98 })],
  ['no payload at all', report({ shareOnNewPathAfter1s: null })],
  ['MP_PRIO lost', report({ mpPrioReceived: 1 })],
  ['a client not notified', report({ mpPrioSent: 0, mpPrioReceived: 0 })],
  ['another hash', report({}, { sha256Matches: false })],
  ['a reconnect', report({}, { reconnects: 1 })],
  ['bytes missing', report({}, { bytes: 99 })],
])('%s is reported', (_, bad) => {
  expect(shortcomings(bad, wanted)).toHaveLength(1);
});

test('for a client that was not notified, only the share of the server counts', () => {
  const notNotified = { mpPrioSent: 0, mpPrioReceived: 0, shareOnNewPathAfter1s: 0.9 };
  expect(shortcomings(report(notNotified), { ...wanted, notifiesClient: false })).toEqual([]);
  expect(
    shortcomings(report({ ...notNotified, shareToClientAfter1s: 0.5 }), { ...wanted, notifiesClient: false }),
  ).toHaveLength(1);
});
