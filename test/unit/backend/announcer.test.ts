import { describe, expect, it } from 'vitest';
import { Announcer, MAX_ID_TRIES } from '../../../src/backend/netlink/announcer.js';
import * as recorded from '../../support/netlink-messages.js';
import { answer, refusal, ScriptedKernel, type Datagram } from '../../support/scripted-kernel.js';

const FAMILY = { id: 28, events: 9, commands: new Set<number>() };
const EINVAL = [refusal(22)];
const NO_SUBFLOW = answer(recorded.NO_SUBFLOW);
const [PID, TOKEN] = [4321, 0xdc95f6d4];
const [V4, V6] = ['192.0.2.1', '2001:db8::1'];

/** An announcer, and the kernel that gives these answers. No answer means that the kernel accepts the request. */
function announcer(...answers: (readonly Datagram[])[]) {
  const kernel = new ScriptedKernel(...answers);
  const socket = kernel.socket();
  return { kernel, announcer: new Announcer(FAMILY, () => socket) };
}

const wanted = (...addresses: string[]) => [{ pid: PID, token: TOKEN, addresses }];

describe('an announcer', () => {
  it('asks the kernel once for each address, without a port', () => {
    const { kernel, announcer: one } = announcer();
    expect(one.announce(wanted(V6, V4))).toEqual([]);
    expect(one.announce(wanted(V6, V4))).toEqual([]);
    expect(kernel.requests.map((bytes) => bytes.subarray(16).toString('hex'))).toEqual([
      [
        '08010000', '08000400d4f695dc', // ANNOUNCE, token
        '30000180', '060001000a000000', '05000200ff000000', // the address: IPv6, ID 255
        '1400040020010db8000000000000000000000001', '0800060001000000', // signal
      ].join(''),
      [
        '08010000', '08000400d4f695dc',
        '24000180', '0600010002000000', '05000200ff000000', '08000300c0000201', '0800060001000000',
      ].join(''),
    ]); // prettier-ignore
  });

  it('takes another ID if the connection has an address with this one', () => {
    const { kernel, announcer: one } = announcer(EINVAL, NO_SUBFLOW);
    expect(one.announce(wanted(V4))).toEqual([]);
    const ids = [kernel.requests[0], kernel.requests[2]].map((bytes) => bytes?.[44]);
    expect(ids).toEqual([255, 254]);
  });

  it('gives up without a report if the connection has the address under another ID', () => {
    const { kernel, announcer: one } = announcer(
      EINVAL,
      NO_SUBFLOW,
      ...Array.from({ length: 99 }, () => EINVAL),
    );
    expect(one.announce(wanted(V4))).toEqual([]);
    expect(one.announce(wanted(V4))).toEqual([]);
    expect(kernel.requests).toHaveLength(MAX_ID_TRIES + 1);
  });

  it('announces an address again after it was not wanted for a while', () => {
    const { kernel, announcer: one } = announcer();
    one.announce(wanted(V4, V6));
    one.announce(wanted(V6));
    one.announce(wanted(V4, V6));
    expect(kernel.requests).toHaveLength(3);
    one.announce([]);
    one.announce(wanted(V4, V6));
    expect(kernel.requests).toHaveLength(5);
  });

  it('reports once for all connections that the in-kernel path manager has them, if they stay', () => {
    const { kernel, announcer: one } = announcer(EINVAL, EINVAL, EINVAL, EINVAL);
    const both = [...wanted(V4), { pid: PID, token: 1, addresses: [V4] }];
    expect(one.announce(both)).toEqual([]);
    expect(one.announce(both)).toEqual([
      expect.stringMatching(
        /^process 4321: 192\.0\.2\.1 is not announced: the in-kernel .*ip mptcp endpoint add/,
      ),
    ]);
    expect(one.announce([])).toEqual([]);
    expect(kernel.requests).toHaveLength(4);
  });

  it('reports any other error, and announces the rest', () => {
    const { kernel, announcer: one } = announcer([refusal(1)]);
    one.announce(wanted(V4, V6));
    expect(one.announce(wanted(V4, V6))).toEqual([
      'process 4321: 192.0.2.1 is not announced: the kernel refused: it gives no reason (EPERM)',
    ]);
    expect(kernel.requests).toHaveLength(2);
  });

  it('reports a process whose network namespace cannot be entered', () => {
    const one = new Announcer(FAMILY, () => {
      throw new Error('no such process');
    });
    one.announce(wanted(V4));
    expect(one.announce(wanted(V4))).toEqual(['process 4321: 192.0.2.1 is not announced: no such process']);
  });
});
