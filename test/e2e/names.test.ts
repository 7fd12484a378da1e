import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { DaemonStatus } from '../../src/api/status.js';
import { talk } from '../../src/console/terminal/talk.js';
import { needs } from '../lab/needs.js';
import { Office } from '../support/office.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';
import { Steered } from '../unit/console/steered.js';

// The waits here are not timed: each has its own bound.

/** Holds a terminal's CSI and OSC, a right-to-left override, and a zero-width space. */
const NAME = 'eve\u009b2J\u009d0;x\u202egnp\u200b';
const SHOWN = 'eve\\x9b2J\\x9d0;x\\u202egnp\\u200b';

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let console: Console | undefined;

beforeEach(async () => {
  vpn = await vpnForTest();
});
afterEach(async () => {
  await console?.close();
  console = undefined;
});

describe('a common name with control characters and invisible characters', () => {
  it('is read unchanged from OpenVPN and its hooks, and printed escaped', async () => {
    await vpn.server({ management: vpn.at('m'), events: vpn.at('events') });
    const { servers } = await Office.open(vpn);
    await vpn.client(NAME);
    const sessions = await until('management and a record report the session', () => {
      const all = servers.sessions();
      const recorded = servers.servers()[0]?.status().recorded;
      return all.length === 1 && all[0]?.cid !== undefined && recorded === 1 ? all : undefined;
    });
    expect(sessions[0]?.commonName).toBe(NAME);
    const daemon = new Steered(
      vpn.at('overrides.json'),
      sessions.map((session) => ({ session, connection: undefined })),
    );
    const socket = vpn.at('own.sock');
    console = await Console.open({ socket, mode: 0o600 }, { daemon });
    expect((await talk(socket, 'mptcp status')).join('\n')).toContain(`session ${SHOWN}: `);
    expect((await talk(socket, 'mptcp explain 0')).join('\n')).toContain(`session ${SHOWN}: `);
    const [json = ''] = await talk(socket, 'mptcp status json');
    expect(json).toMatch(/^[ -~]+$/);
    expect((JSON.parse(json) as DaemonStatus).sessions[0]?.session.commonName).toBe(NAME);
    await expect(talk(socket, `mptcp explain ${NAME}?`)).rejects.toThrow(
      `no client "${SHOWN}?" is connected`,
    );
  });
});
