import { expect, test } from 'vitest';
import { parseCounters, parseMptcpNet, rise, trouble } from '../../lab/counters.js';

const before = parseCounters(
  'TcpExt: A B\nTcpExt: 1 2\nMPTcpExt: MPPrioTx NoDSSInWindow DSSNoMatchTCP\nMPTcpExt: 4 0 0\n',
);
const after = parseCounters(
  'TcpExt: A B\nTcpExt: 1 5\nMPTcpExt: MPPrioTx NoDSSInWindow DSSNoMatchTCP\nMPTcpExt: 6 4 3\n',
);

test('counters have nstat’s names and rise between two readings', () => {
  expect(rise('TcpExtB', before, after)).toBe(3);
  expect(rise('MPTcpExtMPPrioTx', before, after)).toBe(2);
  expect(rise('MPTcpExtUnknown', before, after)).toBe(0);
});

test('only counters that tell of a broken connection are trouble', () => {
  expect(trouble(before, after)).toEqual({ MPTcpExtDSSNoMatchTCP: 3 });
  expect(trouble(after, after)).toEqual({});
});

test('multipath-tcp.org’s counters are a name and a value per line', () => {
  const counters = parseMptcpNet('MPCapableSYNRX                  \t1\nNoDSSInWindow\t2\nMPCsumFail\t0\n');
  expect([...counters]).toEqual([
    ['MptcpNetMPCapableSYNRX', 1],
    ['MptcpNetNoDSSInWindow', 2],
    ['MptcpNetMPCsumFail', 0],
  ]);
  expect(trouble(new Map(), counters)).toEqual({ MptcpNetNoDSSInWindow: 2 });
});
