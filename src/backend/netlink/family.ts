import { malformed, readAttributes, type Attributes } from './message.js';
import { writeGenericHeader, GENERIC_HEADER } from './generic.js';
import type { RequestSocket } from './socket.js';

// include/uapi/linux/genetlink.h
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR = { familyId: 1, familyName: 2, operations: 6, groups: 7 } as const;
const OPERATION_ID = 1;
const GROUP = { name: 1, id: 2 } as const;

/** A generic netlink family. Its numbers are the same in every network namespace. */
export interface Family {
  readonly id: number;
  /** Number of the multicast group of its events. */
  readonly events: number;
  /** Numbers of the commands that this kernel has. */
  readonly commands: ReadonlySet<number>;
}

/** @throws {NetlinkError} ENOENT if this kernel has no such family. */
export function findFamily(socket: RequestSocket, name: string, eventGroup: string): Family {
  return socket.get(
    GENL_ID_CTRL,
    (request) => {
      writeGenericHeader(request, CTRL_CMD_GETFAMILY);
      request.bytes.write(name, request.attribute(CTRL_ATTR.familyName, name.length + 1), 'latin1');
    },
    ({ payload }) => readFamily(payload, eventGroup),
  );
}

function readFamily(payload: Buffer, eventGroup: string): Family {
  const attributes = readAttributes(payload, GENERIC_HEADER);
  const group = list(attributes, CTRL_ATTR.groups).find(
    (one) => one.get(GROUP.name)?.toString('latin1').replace(/\0.*$/s, '') === eventGroup,
  );
  if (!group) throw malformed(`group ${eventGroup}`);
  return {
    id: attributes.u16(CTRL_ATTR.familyId),
    events: group.u32(GROUP.id),
    commands: new Set(list(attributes, CTRL_ATTR.operations).map((one) => one.u32(OPERATION_ID))),
  };
}

/** Reads an attribute that has one nested attribute for each element. */
function list(attributes: Attributes, type: number): Attributes[] {
  const elements = attributes.get(type);
  return elements ? [...readAttributes(elements).values()].map((element) => readAttributes(element)) : [];
}
