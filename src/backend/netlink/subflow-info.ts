import type { Priority } from '../../model/subflow.js';
import type { Attributes } from './message.js';

// include/uapi/linux/inet_diag.h and mptcp.h
const INET_DIAG_ULP_INFO = 19;
const INET_ULP_INFO_MPTCP = 3;
const MPTCP_SUBFLOW_ATTR = { tokenLocal: 2, flags: 8, idRemote: 9 } as const;
/** MPTCP_SUBFLOW_FLAG_MCAP_REM, JOIN_REM, BKUP_REM and BKUP_LOC. */
const SUBFLOW_FLAG = { mpCapable: 1 << 0, mpJoin: 1 << 2, peers: 1 << 4, ours: 1 << 5 } as const;

/** The MPTCP members of a subflow's TCP socket (include/uapi/linux/mptcp.h, enum mptcp_subflow_attr). */
export interface SubflowInfo {
  /** The token of its connection on this host. */
  readonly token: number;
  /** The peer's address ID (RFC 8684 section 3.2), 0 to 255. */
  readonly id: number;
  readonly ours: Priority;
  readonly peers: Priority;
}

/** The attributes of a subflow; undefined if the socket is none. */
export function findSubflow(attributes: Attributes): Attributes | undefined {
  const subflow = attributes.nested(INET_DIAG_ULP_INFO)?.nested(INET_ULP_INFO_MPTCP);
  // Empty: the kernel is releasing the subflow.
  if (!subflow || subflow.isEmpty) return undefined;
  const flags = subflow.u32(MPTCP_SUBFLOW_ATTR.flags);
  return (flags & (SUBFLOW_FLAG.mpCapable | SUBFLOW_FLAG.mpJoin)) === 0 ? undefined : subflow;
}

/** Whether these are the attributes of the same subflow with the same priorities. It makes no object. */
export function isSameSubflow({ token, id, ours, peers }: SubflowInfo, subflow: Attributes): boolean {
  const flags = subflow.u32(MPTCP_SUBFLOW_ATTR.flags);
  return (
    token === subflow.u32(MPTCP_SUBFLOW_ATTR.tokenLocal) &&
    id === subflow.u8(MPTCP_SUBFLOW_ATTR.idRemote) &&
    ours === priorityOf(flags, SUBFLOW_FLAG.ours) &&
    peers === priorityOf(flags, SUBFLOW_FLAG.peers)
  );
}

/** @param subflow what {@link findSubflow} returns. @throws {NetlinkError} EBADMSG if something is missing. */
export function readSubflow(subflow: Attributes): SubflowInfo {
  const flags = subflow.u32(MPTCP_SUBFLOW_ATTR.flags);
  return {
    token: subflow.u32(MPTCP_SUBFLOW_ATTR.tokenLocal),
    id: subflow.u8(MPTCP_SUBFLOW_ATTR.idRemote),
    ours: priorityOf(flags, SUBFLOW_FLAG.ours),
    peers: priorityOf(flags, SUBFLOW_FLAG.peers),
  };
}

function priorityOf(flags: number, flag: number): Priority {
  return (flags & flag) === 0 ? 'active' : 'backup';
}
