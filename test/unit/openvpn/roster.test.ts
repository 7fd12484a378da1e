import { describe, expect, it } from 'vitest';
import type { SessionRecord } from '../../../src/openvpn/records/record.js';
import { Roster } from '../../../src/openvpn/roster.js';

const NO_CLIENTS = { clients: [], unnamed: [], usesDco: false, problems: [] };

function recordAt(port: number): SessionRecord {
  return { pid: 100, real: { address: '192.0.2.1', port }, commonName: 'alice', virtual: [] };
}

describe('a disconnected client', () => {
  it('is remembered until the answer to a later status', () => {
    const roster = new Roster();
    const askedAt = performance.now();
    const row = { commonName: 'alice', address: '192.0.2.1', port: 1, virtual: [], cid: 1 };
    roster.recordRemoved(recordAt(1), true);
    roster.applyStatus({ ...NO_CLIENTS, clients: [row] }, askedAt);
    expect(roster.rows).toEqual([]);
    expect(roster.rememberedDepartures).toBe(1);
    roster.applyStatus({ ...NO_CLIENTS, clients: [row] }, performance.now());
    expect(roster.rows.map(({ cid }) => cid)).toEqual([1]);
    expect(roster.rememberedDepartures).toBe(0);
  });

  it('is not remembered while management is disconnected, because no status can list it', () => {
    const roster = new Roster();
    for (let port = 1; port <= 1000; port++) {
      roster.recordRemoved(recordAt(port), false);
      roster.removeDisconnected();
    }
    expect(roster.rememberedDepartures).toBe(0);
  });
});
