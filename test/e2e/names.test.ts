import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import type { DaemonStatus } from '../../src/api/status.js';
import { talk } from '../../src/console/terminal/talk.js';
import { needs } from '../lab/needs.js';
import { Office } from '../support/office.js';
import { LoopbackVpn } from '../support/openvpn.js';
import { until } from '../support/until.js';
import { Steered } from '../unit/console/steered.js';

// not timed: each wait has its own bound

/** CSI and OSC of a terminal, the override of the direction of writing, and a blank of no width. */
const NAME = 'eve\u009b2J\u009d0;x\u202egnp\u200b';
const SHOWN = 'eve\\x9b2J\\x9d0;x\\u202egnp\\u200b';

let vpn: LoopbackVpn;
let office: Office | undefined;
let console: Console | undefined;

beforeEach(async () => {
  vpn = await LoopbackVpn.create();
});
afterEach(async () => {
  await console?.close();
  await office?.close();
  console = office = undefined;
  await vpn.destroy();
});

describe('a certificate whose name holds what is not seen', () => {
  needs('root', 'tun', 'openvpn');

  it('is taken as it is from OpenVPN and its hooks, and shown escaped', async () => {
    const at = (name: string) => join(vpn.directory, name);
    await vpn.server({ management: at('m'), events: at('events') });
    office = await Office.open(vpn);
    const { servers } = office;
    await vpn.client(NAME);
    const sessions = await until('both speak of it', () => {
      const all = servers.sessions();
      const recorded = servers.servers()[0]?.status().recorded;
      return all.length === 1 && all[0]?.cid !== undefined && recorded === 1 ? all : undefined;
    });
    expect(sessions[0]?.commonName).toBe(NAME);
    const daemon = new Steered(
      at('overrides.json'),
      sessions.map((session) => ({ session, connection: undefined })),
    );
    const socket = at('own.sock');
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
