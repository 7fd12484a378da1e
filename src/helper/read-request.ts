import ipaddr from 'ipaddr.js';
import type { PriorityRequest } from '../backend/backend.js';
import type { Announcement } from '../model/announcement.js';
import { BACKEND_NAMES } from '../model/backend-name.js';
import type { SubflowLimits } from '../model/subflow-limits.js';
import {
  readAddress,
  readBoolean,
  readEndpointObject,
  readInteger,
  readList,
  readMembers,
  readPid,
  readText,
  readU32,
  readWord,
  type Members,
} from './fields.js';
import { BadMessageError } from './frames.js';
import { BOUNDS, type Request } from './messages.js';

const REQUESTS = ['open', 'look', 'set', 'watch', 'limit', 'announce'] as const;
/** Kinds of addresses that no client can reach, or that are not one host's (names of ipaddr.js). */
const NOT_ANNOUNCED = ['unspecified', 'broadcast', 'multicast', 'loopback', 'linkLocal'];

/**
 * Reads a message from the daemon. The result has only members that were checked.
 * @throws {BadMessageError} if it is not a request, or exceeds a bound.
 */
export function readRequest(message: unknown): Request {
  const members = readMembers(message, 'message');
  const id = readU32(members.id, 'id');
  const what = readWord(members.do, 'do', REQUESTS);
  switch (what) {
    case 'open':
      return {
        id,
        do: what,
        version: readU32(members.version, 'version'),
        backend: readWord(members.backend, 'backend', ['auto', ...BACKEND_NAMES]),
        layout: readLayoutName(members.layout),
      };
    case 'look':
      return { id, do: what, pid: readPid(members.pid) };
    case 'set':
      return { id, do: what, changes: readList(members.changes, 'changes', BOUNDS.changes).map(readChange) };
    case 'watch':
      return { id, do: what, pids: readList(members.pids, 'pids', BOUNDS.pids).map(readPid) };
    case 'limit':
      return { id, do: what, limits: readLimits(members) };
    case 'announce': {
      const list = readList(members.announcements, 'announcements', BOUNDS.announcements);
      return { id, do: what, announcements: list.map(readAnnouncement) };
    }
  }
}

/** `btf`, or an absolute path. The helper reads the file only if root alone can have written it. */
function readLayoutName(value: unknown): string {
  const text = readText(value, 'layout', BOUNDS.path);
  if (text !== 'btf' && (!text.startsWith('/') || text.includes('\0')))
    throw new BadMessageError('a message has a wrong layout');
  return text;
}

function readChange(value: unknown): PriorityRequest {
  const { name, priority, overridePeer } = readMembers(value, 'change');
  const { pid, connection, local, remote } = readMembers(name, 'name');
  return {
    name: {
      pid: readPid(pid),
      connection: readEndpointObject(connection),
      local: readEndpointObject(local),
      remote: readEndpointObject(remote),
    },
    priority: readWord(priority, 'priority', ['active', 'backup']),
    overridePeer: overridePeer === undefined ? false : readBoolean(overridePeer, 'overridePeer'),
  };
}

function readLimits({ withSession, withoutSession, tokens }: Members): SubflowLimits {
  const readLimit = (value: unknown) =>
    readInteger(value, 'limit', BOUNDS.leastSubflows, BOUNDS.mostSubflows);
  const byPid = readList(tokens, 'tokens', BOUNDS.pids).map((entry) => {
    const [pid, list] = readList(entry, 'tokens', 2);
    const numbers = readList(list, 'tokens', BOUNDS.connections).map((token) => readU32(token, 'token'));
    return [readPid(pid), new Set(numbers)] as const;
  });
  return {
    withSession: readLimit(withSession),
    withoutSession: readLimit(withoutSession),
    sessionTokens: new Map(byPid),
  };
}

function readAnnouncement(value: unknown): Announcement {
  const { pid, token, addresses } = readMembers(value, 'announcement');
  return {
    pid: readPid(pid),
    token: readU32(token, 'token'),
    addresses: readList(addresses, 'addresses', BOUNDS.addresses).map(readAnnounced),
  };
}

function readAnnounced(value: unknown): string {
  const address = readAddress(value);
  if (NOT_ANNOUNCED.includes(ipaddr.parse(address).range()))
    throw new BadMessageError('a message announces an address that no client can reach');
  return address;
}
