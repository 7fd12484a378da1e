import { expect, test } from 'vitest';
import { parsePacket } from '../../lab/packet.js';

test('an IPv4 line gives both ends, the payload and the time', () => {
  const line =
    '1795369015.590895 wifi  In  IP 192.168.110.2.1194 > 192.168.100.2.38002: Flags [.], seq 1:1421, ack 9, win 501, ' +
    'options [nop,nop,TS val 1 ecr 2,mptcp 26 dss ack 3 seq 4 subseq 5 len 1420,nop,nop], length 1420';
  expect(parsePacket(line)).toEqual({
    timeMs: 1795369015590.895,
    source: '192.168.110.2',
    sourcePort: 1194,
    destination: '192.168.100.2',
    destinationPort: 38002,
    bytes: 1420,
    line,
  });
});

test('an IPv6 line, and one without an interface as a single-device capture has it', () => {
  const line = '1.5 IP6 fd00:200::2.59001 > fd00:110::2.1194: Flags [P.], seq 1:79, ack 1, win 5, length 78';
  expect(parsePacket(line)).toMatchObject({
    timeMs: 1500,
    source: 'fd00:200::2',
    sourcePort: 59001,
    destination: 'fd00:110::2',
    destinationPort: 1194,
    bytes: 78,
  });
});

test.each(['', 'tcpdump: listening on any', '1.0 ARP, Request who-has 10.0.0.1 tell 10.0.0.2, length 28'])(
  'what is not a TCP packet is none: %j',
  (line) => {
    expect(parsePacket(line)).toBeUndefined();
  },
);
