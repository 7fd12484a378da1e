import { expect, test } from 'vitest';
import { onPaths, share, sumBytes, throughput, type PathPacket } from '../../lab/traffic.js';

const addresses = {
  wifi: { v4: '192.168.100.2', v6: 'fd00:100::2' },
  lte: { v4: '192.168.200.2', v6: 'fd00:200::2' },
};

function packet(timeMs: number, path: string, direction: PathPacket['direction'], bytes: number): PathPacket {
  return { timeMs, path, direction, bytes };
}

test('a packet is on the path of the client’s address; without payload, or elsewhere, it does not count', () => {
  const base = { timeMs: 1, line: '', destination: '192.168.110.2', destinationPort: 1194, sourcePort: 5000 };
  const down = {
    source: '192.168.110.2',
    sourcePort: 1194,
    destination: 'fd00:200::2',
    destinationPort: 5000,
  };
  expect(
    onPaths(
      [
        { ...base, source: '192.168.100.2', bytes: 10 },
        { ...base, ...down, bytes: 20 },
        { ...base, source: '192.168.100.2', bytes: 0 },
        { ...base, source: '10.8.0.2', bytes: 30 },
      ],
      addresses,
    ),
  ).toEqual([packet(1, 'wifi', 'toServer', 10), packet(1, 'lte', 'toClient', 20)]);
});

test('a share counts from its first moment on and not its last, in one direction or both', () => {
  const packets = [
    packet(99, 'wifi', 'toClient', 1000),
    packet(100, 'lte', 'toClient', 75),
    packet(150, 'wifi', 'toServer', 25),
    packet(200, 'wifi', 'toClient', 1000),
  ];
  const span = { fromMs: 100, untilMs: 200 };
  expect(share(packets, 'lte', span)).toBe(0.75);
  expect(share(packets, 'lte', { ...span, direction: 'toClient' })).toBe(1);
  expect(share(packets, 'lte', { fromMs: 300, untilMs: 400 })).toBeNull();
  expect(sumBytes(packets, { path: 'wifi' })).toBe(2025);
});

test('throughput has a point per path and quarter of a second, silence included', () => {
  const packets = [packet(1000, 'wifi', 'toClient', 31_250), packet(1499, 'lte', 'toServer', 62_500)];
  expect(throughput(packets, ['wifi', 'lte'], 1000, 1500, 500)).toEqual([
    { seconds: 0.625, path: 'wifi', mbit: 1 },
    { seconds: 0.875, path: 'wifi', mbit: 0 },
    { seconds: 0.625, path: 'lte', mbit: 0 },
    { seconds: 0.875, path: 'lte', mbit: 2 },
  ]);
});
