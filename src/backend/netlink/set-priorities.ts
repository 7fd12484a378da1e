import type { Connection } from '../../model/connection.js';
import type { Priority } from '../../model/subflow.js';
import type { NotTried, PriorityRequest, PriorityResult } from '../backend.js';
import { groupByConnection, isMade, NOT_TRIED } from '../in-order.js';
import { subflowsNow, type TcpSocket } from './diag.js';
import type { Family } from './family.js';
import type { NetworkNamespace } from './namespace.js';
import { setPriorities as sendPriorities } from './path-manager.js';
import type { SubflowInfo } from './subflow-info.js';
import { toKernelError } from './to-kernel-error.js';

/** The parts of an observation of a server that setting its priorities needs. */
export interface ObservedServer {
  readonly namespace: Pick<NetworkNamespace, 'diag' | 'generic'>;
  /** By token: whether the userspace path manager manages the connection. */
  readonly userspacePm: ReadonlyMap<number, boolean>;
  /** Our priority as read after it was set, which is later than the observation. */
  readonly setSince: Map<TcpSocket, Priority>;
}

/** A subflow of the last observation. */
export interface FoundSubflow {
  readonly server: ObservedServer;
  readonly connection: Connection;
  readonly socket: TcpSocket;
}

/** A request whose subflow was found. */
interface Task extends FoundSubflow {
  readonly request: PriorityRequest;
  /** Of the request and its result. */
  readonly index: number;
}

export const UNDER_KERNELS_PATH_MANAGER =
  "its priorities cannot be set, because it connected under the kernel's own path manager: set net.mptcp.path_manager = " +
  'userspace (before Linux 6.15 net.mptcp.pm_type = 1) in the network namespace of its server, and let it reconnect';

const CANNOT_OVERRIDE_PEER =
  'the client asks for backup, and netlink cannot override that: peer-backup = override needs backend = devmem';

const GONE: PriorityResult = {
  outcome: 'gone',
  isMpPrioRequested: false,
  reason: 'there is no such subflow',
};

/**
 * Carries out requests with few system calls, as {@link Backend.setPriorities} has to. Usually there are two passes: the first
 * makes a subflow of each connection active, the second makes the others backup.
 * @param find finds the subflow of a request in the last observation.
 */
export function setInPasses(
  requests: readonly PriorityRequest[],
  family: Family,
  find: (request: PriorityRequest) => FoundSubflow | undefined,
): (PriorityResult | NotTried)[] {
  const results = new Array<PriorityResult | NotTried>(requests.length).fill(NOT_TRIED);
  /** For each connection: the requests that are not carried out yet. */
  let waiting = groupByConnection(requests);
  while (waiting.length > 0) {
    const tasks: Task[] = [];
    for (const group of waiting) {
      // The requests after one to `active` wait for its result.
      for (
        let isLast = false;
        !isLast && group.next < group.end;
        isLast = isToActive(requests, group.next++)
      ) {
        const request = requests[group.next] as PriorityRequest;
        const found = find(request);
        if (found) tasks.push({ ...found, request, index: group.next });
        else results[group.next] = GONE;
      }
    }
    for (const [server, own] of byServer(tasks)) setAll(server, own, family, results);
    waiting = waiting.filter(
      ({ next, end }) => next < end && (!isToActive(requests, next - 1) || isMade(results[next - 1])),
    );
  }
  return results;
}

function isToActive(requests: readonly PriorityRequest[], index: number): boolean {
  return requests[index]?.priority === 'active';
}

function byServer(tasks: readonly Task[]): Map<ObservedServer, Task[]> {
  const servers = new Map<ObservedServer, Task[]>();
  for (const task of tasks) {
    const own = servers.get(task.server);
    if (own) own.push(task);
    else servers.set(task.server, [task]);
  }
  return servers;
}

/** Carries out tasks of one server. @param results receives their results. */
function setAll(
  server: ObservedServer,
  tasks: readonly Task[],
  family: Family,
  results: (PriorityResult | NotTried)[],
): void {
  try {
    // Skip the read before the request: a priority that differed just now still needs setting. The request names the token
    // and the endpoints, so it reaches this subflow or none, and the read after it shows the result.
    const doubtful = tasks.filter((task) => mayNeedNoRequest(task));
    const befores = readNow(server, doubtful);
    const done = new Set<Task>();
    for (const [at, task] of doubtful.entries()) {
      const result = resultWithoutRequest(task, befores[at]);
      if (!result) continue;
      results[task.index] = result;
      done.add(task);
    }
    const sent = done.size === 0 ? tasks : tasks.filter((task) => !done.has(task));
    const refusals = sendPriorities(
      server.namespace.generic,
      family,
      sent.map(({ connection: { token }, socket, request: { priority } }) => ({
        token,
        fourTuple: socket,
        priority,
      })),
    );
    const afters = readNow(server, sent);
    for (const [at, task] of sent.entries()) results[task.index] = resultOf(task, refusals[at], afters[at]);
  } catch (error) {
    for (const { index, request } of tasks) {
      if (results[index] === NOT_TRIED)
        results[index] = refused(toKernelError(error, request.name.pid).message);
    }
  }
}

/** Reads these subflows. Undefined for one that is gone. */
function readNow(
  { namespace, setSince }: ObservedServer,
  tasks: readonly Task[],
): (SubflowInfo | undefined)[] {
  const found = subflowsNow(
    namespace.diag,
    tasks.map(({ socket }) => socket),
  );
  return found.map((subflow, at) => {
    const { socket, connection } = tasks[at] as Task;
    if (subflow?.token !== connection.token) return undefined;
    setSince.set(socket, subflow.ours);
    return subflow;
  });
}

function mayNeedNoRequest({ server, connection, socket, request }: Task): boolean {
  return (
    isUnderKernelsPathManager(server, connection) ||
    (server.setSince.get(socket) ?? socket.mptcp?.ours) === request.priority
  );
}

/** @param before the subflow as it is now. @returns undefined if the kernel must be asked. */
function resultWithoutRequest(
  { server, connection, request }: Task,
  before: SubflowInfo | undefined,
): PriorityResult | undefined {
  if (!before) return GONE;
  if (before.ours === request.priority) {
    return isHeldBackByPeer(request, before)
      ? refused(CANNOT_OVERRIDE_PEER)
      : { outcome: 'unchanged', isMpPrioRequested: false };
  }
  return isUnderKernelsPathManager(server, connection) ? refused(UNDER_KERNELS_PATH_MANAGER) : undefined;
}

/** @param refusal of the kernel. @param after the subflow after the request. */
function resultOf(
  { request }: Task,
  refusal: Error | undefined,
  after: SubflowInfo | undefined,
): PriorityResult {
  // The kernel gives the same error for everything that can be wrong with a request. The subflow may just have closed.
  if (!after) return GONE;
  if (refusal) return refused(toKernelError(refusal, request.name.pid).message);
  if (after.ours !== request.priority) return refused('the kernel accepted the request and changed nothing');
  return isHeldBackByPeer(request, after)
    ? refused(CANNOT_OVERRIDE_PEER)
    : { outcome: 'committed', isMpPrioRequested: true };
}

function isUnderKernelsPathManager({ userspacePm }: ObservedServer, { token }: Connection): boolean {
  return userspacePm.get(token) === false;
}

function isHeldBackByPeer(
  { priority, overridePeer = false }: PriorityRequest,
  { peers }: SubflowInfo,
): boolean {
  return overridePeer && priority === 'active' && peers === 'backup';
}

function refused(reason: string): PriorityResult {
  return { outcome: 'refused', isMpPrioRequested: false, reason };
}
