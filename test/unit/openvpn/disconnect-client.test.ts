import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { disconnectClient } from '../../../src/openvpn/disconnect-client.js';
import { AS_OPENVPN } from '../../support/fake-openvpn.js';
import { directory, listen } from './management/management-peer.js';

describe('a client', () => {
  it.each([
    ['SUCCESS: client-kill command succeeded', undefined],
    ['ERROR: client-kill command failed', 'OpenVPN answers "ERROR: client-kill command failed"'],
  ])('is disconnected by its CID, and keeps its password; OpenVPN answers %j', async (answer, refusal) => {
    const peer = await listen(join(directory, 's'), {
      answer: (line, socket) => (line.startsWith('client-kill') ? socket.write(`${answer}\r\n`) : AS_OPENVPN),
    });
    const management = peer.connect();
    await once(management, 'ready');
    expect(await disconnectClient(management, { cid: 7 })).toBe(refusal);
    expect(peer.fake.received.at(-1)).toBe('client-kill 7 RESTART,[P]');
  });

  it('is not disconnected without a management interface, a connection to it or a CID', async () => {
    expect(await disconnectClient(undefined, { cid: 7 })).toMatch('no management interface');
    const peer = await listen(join(directory, 's'));
    const management = peer.connect();
    expect(await disconnectClient(management, {})).toMatch('has not reported it');
    expect(await disconnectClient(management, { cid: 7 })).toMatch('is not connected yet');
  });
});
