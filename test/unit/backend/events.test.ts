import { expect, it } from 'vitest';
import { EventSocket } from '../../../src/backend/netlink/events.js';
import { NetlinkError } from '../../../src/backend/netlink/netlink-error.js';
import { EventType, readEvent, type PathManagerEvent } from '../../../src/backend/netlink/pm-event.js';
import { TrackedServers } from '../../../src/backend/netlink/tracked-servers.js';
import type { Connection } from '../../../src/model/connection.js';
import { pathManagerEvent } from '../../support/pm-event.js';
import { receiveNext } from '../../support/scripted-kernel.js';

const SERVER = { address: '192.168.110.2', port: 1194 };
const ENDS = { local: SERVER, remote: { address: '192.168.100.2', port: 57506 } };
const TOKEN = 0xdc95f6d4;
/** Any multicast group: the socket of the test joins none. */
const GROUP = 9;

/** What an event socket reports when it reads these datagrams; an object with a code is an error of the system. */
function reportsOf(...datagrams: readonly (Buffer | { readonly code: string })[]) {
  const reported: (PathManagerEvent | 'lost')[] = [];
  const waiting = [...datagrams];
  let readable = (): void => undefined;
  const socket = new EventSocket(
    {
      join: () => undefined,
      send: () => undefined,
      close: () => undefined,
      onReadable: (callback) => (readable = callback),
      receive: (out) => receiveNext(waiting, out),
    },
    GROUP,
    { onEvent: (event) => reported.push(event), onLost: () => reported.push('lost') },
  );
  readable();
  socket.close();
  return reported;
}

it('an event names its connection and the endpoints of the subflow', () => {
  const event = readEvent(pathManagerEvent(EventType.subflowEstablished, TOKEN, ENDS));
  expect(event).toMatchObject({ type: EventType.subflowEstablished, token: TOKEN, port: 1194 });
  expect(event.fourTuple()).toEqual(ENDS);
  const closed = readEvent(pathManagerEvent(3, TOKEN));
  expect(closed).toMatchObject({ type: 3, token: TOKEN });
  expect(closed.port).toBeUndefined();
  expect(closed.fourTuple()).toBeUndefined();
});

it('lost or unreadable events are reported once, after all that could be read', () => {
  const good = pathManagerEvent(1, TOKEN, ENDS);
  const reported = reportsOf({ code: 'ENOBUFS' }, good, Buffer.alloc(3), Buffer.alloc(2_000), good);
  expect(reported.map((report) => (report === 'lost' ? report : report.token))).toEqual([
    TOKEN,
    TOKEN,
    'lost',
  ]);
});

it('an event that is truncated, or has one byte changed, is read or causes a NetlinkError', () => {
  const good = pathManagerEvent(EventType.subflowClosed, TOKEN, ENDS);
  for (let at = 0; at < good.length; at++) {
    for (const value of [0, 1, 4, 0x7f, 0xff]) {
      const changed = Buffer.from(good);
      changed[at] = value;
      for (const bytes of [changed, good.subarray(0, at)]) {
        try {
          readEvent(bytes).fourTuple();
        } catch (error) {
          expect(error).toBeInstanceOf(NetlinkError);
        }
      }
    }
  }
});

it('an event concerns a server only if it is about its ports or its connections', () => {
  const servers = new TrackedServers();
  expect(servers.mayUsePort(1194)).toBe(false);
  const connection: Connection = { pid: 1, token: TOKEN, ...ENDS, subflows: [] };
  servers.getOrAdd(1).storeObservation([connection], new Set([1194]));
  expect([servers.mayUsePort(1194), servers.mayUsePort(443)]).toEqual([true, false]);
  expect(servers.findConnection(TOKEN)?.connection).toBe(connection);
  expect(servers.findConnection(1)).toBeUndefined();
  // a server that does not listen yet may use any port
  servers.getOrAdd(2);
  expect(servers.mayUsePort(443)).toBe(true);
  servers.keepOnly(new Set([1]));
  expect(servers.mayUsePort(443)).toBe(false);
  servers.keepOnly(new Set());
  expect(servers.findConnection(TOKEN)).toBeUndefined();
});
