import type { Backend, NotTried, PriorityRequest, PriorityResult } from '../backend/backend.js';
import { KernelError, NoProcessError } from '../model/kernel-error.js';
import type { Connection, PlainPeer } from '../model/connection.js';
import { encodeConnections } from './connection-list.js';
import { BOUNDS, CONNECTIONS_PER_PART, MESSAGES_VERSION, type Failure, type Request } from './messages.js';
import type { OpenedBackend } from './opened-backend.js';
import type { ServerGuard } from './server-guard.js';

/** The last list that was sent of each process, by PID. */
export type SentLists = Map<number, readonly Connection[]>;

/** The processes that the daemon wants to be watched, and those of them that are: an OpenVPN that has just started joins later. */
export interface WatchedServers {
  wanted: ReadonlySet<number>;
  tracked: ReadonlySet<number>;
}

/** What a request needs. */
export interface Context {
  readonly opened: OpenedBackend;
  readonly guard: ServerGuard;
  readonly sent: SentLists;
  readonly watched: WatchedServers;
}

/**
 * Does what a checked request asks for. Nothing here throws because of what the request says.
 * @returns the answer, in one or more parts. All but the last have `more`.
 */
export async function* handleRequest(request: Request, context: Context): AsyncGenerator<object> {
  const { id } = request;
  try {
    for await (const part of answer(request, context)) yield { id, ...part };
  } catch (error) {
    yield { id, error: toFailure(error, request.do === 'look' ? request.pid : undefined) };
  }
}

async function* answer(request: Request, context: Context): AsyncGenerator<object> {
  const { opened, guard, sent, watched } = context;
  switch (request.do) {
    case 'open':
      if (request.version !== MESSAGES_VERSION) throw wrongVersion(request.version);
      yield { opened: await opened.ensure(request.backend, request.layout) };
      return;
    case 'look':
      guard.check(request.pid);
      if (!guard.isServing(request.pid)) {
        // it has just started, or is a client: in both cases it has no connection of a session
        yield { items: [], plain: [], problems: [] };
        return;
      }
      if (watched.wanted.has(request.pid) && !watched.tracked.has(request.pid)) trackServers(context);
      yield* look(opened.backend, request.pid, sent);
      return;
    case 'set':
      yield { results: await setAllowed(opened.backend, request.changes, guard) };
      return;
    case 'watch':
      watched.wanted = new Set(request.pids);
      for (const pid of sent.keys()) if (!watched.wanted.has(pid)) sent.delete(pid);
      trackServers(context);
      yield { done: true };
      return;
    case 'limit':
      opened.limit(request.limits);
      yield { done: true };
      return;
    case 'announce': {
      const allowed = request.announcements.filter(isAllowed(guard, ({ pid }) => pid));
      yield { problems: sentences(opened.backend.announce?.(allowed) ?? []) };
    }
  }
}

function trackServers({ opened, guard, watched }: Context): void {
  watched.tracked = new Set([...watched.wanted].filter((pid) => guard.allows(pid)));
  opened.backend.trackServers?.([...watched.tracked]);
}

async function* look(backend: Backend, pid: number, sent: SentLists): AsyncGenerator<object> {
  const { connections, plain, problems } = await backend.connections(pid);
  let items: (readonly unknown[])[] = [];
  for (const item of encodeConnections(sent.get(pid) ?? [], connections)) {
    items.push(item);
    if (items.length < CONNECTIONS_PER_PART) continue;
    yield { items, more: true };
    items = [];
  }
  sent.set(pid, connections);
  yield { items, plain: plain.map(encodePlain), problems: sentences(problems) };
}

function encodePlain({ remote, fellBack, fellBackSince }: PlainPeer): readonly unknown[] {
  return [remote.address, remote.port, fellBack ? (fellBackSince ?? 0) : null];
}

/** Sets the priorities of allowed processes. */
async function setAllowed(
  backend: Backend,
  changes: readonly PriorityRequest[],
  guard: ServerGuard,
): Promise<(PriorityResult | NotTried)[]> {
  const isIn = isAllowed(guard, ({ name }: PriorityRequest) => name.pid);
  const results = [...(await backend.setPriorities(changes.filter(isIn)))];
  return changes.map((change) => (isIn(change) ? (results.shift() ?? REFUSED) : REFUSED)).map(shortened);
}

const REFUSED: PriorityResult = {
  outcome: 'refused',
  isMpPrioRequested: false,
  reason: 'the helper does not touch this process',
};

/** Asks the guard once for each process. */
function isAllowed<T>(guard: ServerGuard, pidOf: (item: T) => number): (item: T) => boolean {
  const known = new Map<number, boolean>();
  return (item) => {
    const pid = pidOf(item);
    const isKnown = known.get(pid) ?? guard.allows(pid);
    known.set(pid, isKnown);
    return isKnown;
  };
}

function shortened(result: PriorityResult | NotTried): PriorityResult | NotTried {
  return 'reason' in result ? { ...result, reason: result.reason.slice(0, BOUNDS.text) } : result;
}

function sentences(texts: readonly string[]): string[] {
  return texts.slice(0, BOUNDS.problems).map((text) => text.slice(0, BOUNDS.text));
}

function wrongVersion(version: number): KernelError {
  return new KernelError(
    'helper',
    `the daemon speaks version ${version} of the helper's messages, and the helper version ${MESSAGES_VERSION}`,
    'systemctl restart subflowd-helper subflowd',
  );
}

/** @param pid the process that was looked at. */
function toFailure(error: unknown, pid: number | undefined): Failure {
  const { message } = error as Error;
  if (!(error instanceof KernelError)) return { step: 'helper', message: message.slice(0, BOUNDS.text) };
  // the message of a KernelError begins with its step, which the daemon adds again
  const text = message.startsWith(`${error.step}: `) ? message.slice(error.step.length + 2) : message;
  return {
    step: error.step,
    message: text.slice(0, BOUNDS.text),
    ...(error.remedy !== undefined && { remedy: error.remedy.slice(0, BOUNDS.text) }),
    ...(error instanceof NoProcessError && pid !== undefined && { gone: pid }),
  };
}
