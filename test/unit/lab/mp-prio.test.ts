import { expect, test } from 'vitest';
import { capturedMpPrio, countedMpPrio } from '../../lab/mp-prio.js';
import { parsePacket, type Packet } from '../../lab/packet.js';

const toClient = '192.168.110.2.1194 > 192.168.100.2.38002';
const toServer = '192.168.100.2.38002 > 192.168.110.2.1194';

/** @param endpoints `FROM > TO`. */
function packet(seconds: number, endpoints: string, option: string): Packet {
  const line = `${seconds.toFixed(1)} wifi In IP ${endpoints}: Flags [.], ack 9, win 501, options [nop,nop,${option}], length 0`;
  const parsed = parsePacket(line);
  if (parsed === undefined) throw new Error(`not a packet: ${line}`);
  return parsed;
}

test('captures: only MP_PRIO that the server sent within the time span counts', () => {
  const server = [
    packet(1, toClient, 'mptcp 3 prio backup'),
    packet(2, toClient, 'mptcp 8 dss ack 3,mptcp 3 prio backup'),
    packet(2.5, toServer, 'mptcp 3 prio non-backup'),
    packet(3, toClient, 'mptcp 8 dss ack 4'),
    packet(4, toClient, 'mptcp 3 prio non-backup'),
    packet(5, toClient, 'mptcp 3 prio non-backup'),
  ];
  const span = { fromMs: 2000, untilMs: 5000 };
  expect(capturedMpPrio({ server, client: server.slice(0, 4) }, span)).toEqual({ sent: 2, received: 1 });
});

test('kernel counters: what the server sent and what the client received count', () => {
  const counters = (sent: number, received: number) => ({
    server: new Map([
      ['MPTcpExtMPPrioTx', sent],
      ['MPTcpExtMPPrioRx', 100],
    ]),
    client: new Map([
      ['MPTcpExtMPPrioTx', 200],
      ['MPTcpExtMPPrioRx', received],
    ]),
  });
  expect(countedMpPrio(counters(1, 1), counters(5, 4))).toEqual({ sent: 4, received: 3 });
});
