import { describe, expect, it } from 'vitest';
import { findPathManager, isUserspacePm, setPriorities } from '../../../src/backend/netlink/path-manager.js';
import * as recorded from '../../support/netlink-messages.js';
import { answer, codeOf, refusal, ScriptedKernel } from '../../support/scripted-kernel.js';

const TOKEN = 3700815572;
const SERVER = { address: '192.168.110.2', port: 1194 };

describe('the path manager', () => {
  const family = { id: 28, events: 9, commands: new Set<number>() };

  it('is found by name', () => {
    const { id, events, commands } = findPathManager(new ScriptedKernel(answer(recorded.FAMILY)).socket());
    expect([id, events]).toEqual([28, 9]);
    expect(commands).toEqual(new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]));
  });

  it('is missing on a kernel without MPTCP', () => {
    expect(codeOf(() => findPathManager(new ScriptedKernel([refusal(2)]).socket()))).toBe('ENOENT');
  });

  it('is too old if it has no commands for connections', () => {
    const [whole] = answer(recorded.FAMILY) as [Buffer];
    const last = Buffer.from([0x08, 0, 1, 0, 11, 0, 0, 0]);
    const at = whole.indexOf(last);
    expect(at).toBeGreaterThan(0);
    whole[at + 4] = 99;
    expect(codeOf(() => findPathManager(new ScriptedKernel([whole]).socket()))).toBe('EOPNOTSUPP');
  });

  it('shows by its answer whether it manages a connection', () => {
    const ask = (datagram: Buffer) => isUserspacePm(new ScriptedKernel([datagram]).socket(), family, TOKEN);
    expect(ask((answer(recorded.NO_SUBFLOW) as [Buffer])[0])).toBe(true);
    expect(ask(refusal(22))).toBe(false);
    expect(codeOf(() => ask(refusal(1)))).toBe('EPERM');
  });

  it('gets token, endpoints and priority, and its reason is passed on', () => {
    const kernel = new ScriptedKernel([], answer(recorded.NO_CONNECTION));
    const socket = kernel.socket();
    const ends = { local: SERVER, remote: { address: '2001:db8::2', port: 4000 } };
    setPriorities(socket, family, [{ token: TOKEN, fourTuple: ends, priority: 'backup' }]);
    expect(kernel.requests[0]?.toString('hex')).toMatch(
      new RegExp(
        [
          '^........1c000100', '01000000', '00000000', // type 28, a request that is answered if it is refused
          '07010000', // SET_FLAGS
          '08000400', 'd4f695dc', // token
          '24000180', '0600010002000000', '08000300c0a86e02', '06000500aa040000', '0800060004000000', // local, backup
          '28000680', '060001000a000000', '1400040020010db8000000000000000000000002', '06000500a00f0000', // remote
        ].join(''), // prettier-ignore
      ),
    );
    const [refusal] = setPriorities(socket, family, [{ token: TOKEN, fourTuple: ends, priority: 'active' }]);
    expect(refusal?.message).toMatch('invalid token (EINVAL)');
  });
});
