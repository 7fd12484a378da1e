import { writeAddress } from '../../src/backend/netlink/address.js';
import { writeGenericHeader } from '../../src/backend/netlink/generic.js';
import { MessageWriter } from '../../src/backend/netlink/message.js';
import type { FourTuple } from '../../src/model/endpoint.js';

/** As the kernel's path manager writes an event (Linux 6.1, net/mptcp/pm_netlink.c, mptcp_event_add_subflow). */
export function pathManagerEvent(type: number, token: number, ends?: FourTuple): Buffer {
  const writer = new MessageWriter();
  writer.begin(28, 0, 0);
  writeGenericHeader(writer, type);
  writer.u32(1, token);
  if (ends) {
    const { local, remote } = ends;
    writeAddress(local.address, writer.bytes, writer.attribute(5, 4));
    writeAddress(remote.address, writer.bytes, writer.attribute(7, 4));
    for (const [attribute, { port }] of [
      [9, local],
      [10, remote],
    ] as const) {
      writer.bytes.writeUInt16BE(port, writer.attribute(attribute, 2));
    }
  }
  return Buffer.from(writer.end());
}
