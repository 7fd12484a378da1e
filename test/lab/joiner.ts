// A program: `joiner HOST PORT LOCAL N PER_SECOND [WHOSE]`. It runs under mptcpize, in a namespace where net.mptcp.pm_type is
// 1. It asks the kernel for N subflows (MP_JOIN), from the address LOCAL, of one connection with HOST. WHOSE is:
// - absent: a connection that the joiner opens. It sends only an OpenVPN client's first packet and waits for the answer.
// - `unanswered`: the same, but it does not wait for the answer, because OpenVPN is too busy to accept the connection.
// - `session`: the connection that already exists, a client's tunnel.
// It prints `joins` before the first request and `joined N` after the last one, N being the requests that succeeded. Then it
// keeps running.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeAddress } from '../../src/backend/netlink/address.js';
import { metaSockets } from '../../src/backend/netlink/diag.js';
import { NetworkNamespace } from '../../src/backend/netlink/namespace.js';
import { findPathManager } from '../../src/backend/netlink/path-manager.js';
import { writeGenericHeader } from '../../src/backend/netlink/generic.js';
import { loadAddon } from '../../src/native/addon.js';

// include/uapi/linux/mptcp.h
const SUBFLOW_CREATE = 10;
const ATTR = { address: 1, token: 4, remote: 6 } as const;
const ADDRESS_ATTR = { family: 1, id: 2, v4: 3, port: 5 } as const;
const AF_INET = 2;
const NETLINK_GENERIC = 16;
/** The length, then P_CONTROL_HARD_RESET_CLIENT_V2 with key 0, a session ID, no acknowledged packet, and packet ID 0. */
const FIRST_PACKET = Buffer.from('000e380102030405060708' + '0000000000', 'hex');
/** Number of requests without a pause between them. */
const AT_ONCE = 50;

const [host = '', port = '', local = '', count = '', perSecond = '', whose] = process.argv.slice(2);
let [done, refused] = [0, 0];
// prints how many requests have succeeded until then
process.once('SIGTERM', () => {
  process.stdout.write(`joined ${done - refused}\n`);
  process.exit(0);
});

if (whose !== 'session') {
  const socket = connect(Number(port), host);
  await once(socket, 'connect');
  socket.write(FIRST_PACKET);
  if (whose !== 'unanswered') await once(socket, 'data');
  socket.on('error', () => undefined).resume();
}
const namespace = NetworkNamespace.openFor('self');
// the kernel refuses joins if no program listens to the path manager's events
const { id: family, events } = findPathManager(namespace.generic);
const { NetlinkSocket } = loadAddon();
const listening = new NetlinkSocket(NETLINK_GENERIC, undefined);
listening.join(events);
const own = metaSockets(namespace.diag).find(({ remote }) => remote.port === Number(port));
if (!own) throw new Error(`there is no connection to port ${port}`);

process.stdout.write('joins\n');
for (; done < Number(count); done++) {
  try {
    namespace.generic.command(family, (request) => {
      writeGenericHeader(request, SUBFLOW_CREATE);
      request.u32(ATTR.token, own.token);
      request.nested(ATTR.address, () => {
        request.u16(ADDRESS_ATTR.family, AF_INET);
        writeAddress(local, request.bytes, request.attribute(ADDRESS_ATTR.v4, 4));
        request.bytes[request.attribute(ADDRESS_ATTR.id, 1)] = 1;
      });
      request.nested(ATTR.remote, () => {
        request.u16(ADDRESS_ATTR.family, AF_INET);
        writeAddress(host, request.bytes, request.attribute(ADDRESS_ATTR.v4, 4));
        request.u16(ADDRESS_ATTR.port, Number(port));
      });
    });
  } catch {
    refused++;
  }
  if (done % AT_ONCE === AT_ONCE - 1) await sleep((AT_ONCE * 1000) / Number(perSecond));
}
process.stdout.write(`joined ${Number(count) - refused}\n`);
setInterval(() => undefined, 60_000);
