import type { Endpoint, FourTuple } from '../../model/endpoint.js';
import { addressText } from './address.js';
import { GENERIC_HEADER } from './generic.js';
import { malformed, readAttributes, readMessages, type Attributes } from './message.js';

// include/uapi/linux/mptcp.h, enum mptcp_event_attr
const ATTR = { token: 1, sourceV4: 5, sourceV6: 6, destinationV4: 7, destinationV6: 8, sourcePort: 9, destinationPort: 10 } as const; // prettier-ignore

/** The values of enum mptcp_event_type that subflowd distinguishes. */
export const EventType = { subflowEstablished: 10, subflowClosed: 11 } as const;

/** An event of the kernel's path manager. */
export interface PathManagerEvent {
  /** One of {@link EventType}, or another number of enum mptcp_event_type. */
  readonly type: number;
  /** The token of the connection; absent if the event is about a listening socket. */
  readonly token?: number;
  /** Local port; absent if the event names only the connection. */
  readonly port?: number;
  /** The addresses and ports of the subflow; undefined if the event names only the connection. Valid as long as the event is. */
  fourTuple(): FourTuple | undefined;
}

/** @throws {NetlinkError} EBADMSG if the datagram is not one complete event. */
export function readEvent(datagram: Buffer): PathManagerEvent {
  const [message] = readMessages(datagram);
  if (!message || message.payload.length < GENERIC_HEADER) throw malformed('event');
  const { payload } = message;
  const attributes = readAttributes(payload, GENERIC_HEADER);
  const token = attributes.get(ATTR.token);
  const port = readPort(attributes, ATTR.sourcePort);
  return {
    type: payload.readUInt8(0),
    ...(token && token.length >= 4 && { token: token.readUInt32LE(0) }),
    ...(port !== undefined && { port }),
    fourTuple: () => {
      const local = readEndpoint(attributes, ATTR.sourceV4, ATTR.sourceV6, ATTR.sourcePort);
      const remote = readEndpoint(attributes, ATTR.destinationV4, ATTR.destinationV6, ATTR.destinationPort);
      return local && remote && { local, remote };
    },
  };
}

function readPort(attributes: Attributes, type: number): number | undefined {
  const port = attributes.get(type);
  return port && port.length >= 2 ? port.readUInt16BE(0) : undefined;
}

function readEndpoint(
  attributes: Attributes,
  v4: number,
  v6: number,
  portType: number,
): Endpoint | undefined {
  const port = readPort(attributes, portType);
  const [short, long] = [attributes.get(v4), attributes.get(v6)];
  const address = short?.length === 4 ? short : long?.length === 16 ? long : undefined;
  return port === undefined || address === undefined ? undefined : { address: addressText(address), port };
}
