import type { NotTried, PriorityResult } from '../backend/backend.js';
import { BACKEND_NAMES } from '../model/backend-name.js';
import { STEPS } from '../model/kernel-error.js';
import type { PlainPeer } from '../model/connection.js';
import type { ExcessSubflows } from '../model/subflow-limits.js';
import {
  readBoolean,
  readEndpoint,
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
import { BOUNDS, type Failure, type Opened } from './messages.js';

const OUTCOMES = ['committed', 'unchanged', 'gone', 'refused'] as const;

/*
 * Readers of what the helper sends. Each returns only members that were checked.
 * @throws {BadMessageError} if a value is wrong or exceeds a bound.
 */

/** An event, which answers no request; undefined: the message is an answer. */
export function readEvent(members: Members): 'change' | ExcessSubflows | undefined {
  if (members.event === undefined) return undefined;
  return readWord(members.event, 'event', ['change', 'excess']) === 'change' ? 'change' : readExcess(members);
}

function readExcess({ closed, connections, worst }: Members): ExcessSubflows {
  return {
    closed: readU32(closed, 'closed'),
    connections: readU32(connections, 'connections'),
    worst: readList(worst, 'worst', 10).map((value) => {
      const { pid, client, token, limit, closed: closedHere } = readMembers(value, 'worst');
      const { address, port } = readMembers(client, 'client');
      return {
        pid: readPid(pid),
        client: readEndpoint(address, port),
        token: readU32(token, 'token'),
        limit: readInteger(limit, 'limit', 1, BOUNDS.mostSubflows),
        closed: readU32(closedHere, 'closed'),
      };
    }),
  };
}

export function readOpened(value: unknown): Opened {
  const members = readMembers(value, 'answer to open');
  return {
    name: readWord(members.name, 'backend', BACKEND_NAMES),
    description: readText(members.description, 'description', BOUNDS.text),
    notifiesPeer: readBoolean(members.notifiesPeer, 'notifiesPeer'),
    because: readText(members.because, 'because', BOUNDS.text),
    reportsChanges: readBoolean(members.reportsChanges, 'reportsChanges'),
    limitsSubflows: readBoolean(members.limitsSubflows, 'limitsSubflows'),
    announces: readBoolean(members.announces, 'announces'),
  };
}

export function readFailure(value: unknown): Failure {
  const { step, message, remedy, gone } = readMembers(value, 'error');
  return {
    step: readWord(step, 'step', STEPS),
    message: readText(message, 'error', BOUNDS.text),
    ...(remedy !== undefined && { remedy: readText(remedy, 'remedy', BOUNDS.text) }),
    ...(gone !== undefined && { gone: readPid(gone) }),
  };
}

/** @param count of the requests. */
export function readResults(value: unknown, count: number): (PriorityResult | NotTried)[] {
  const results = readList(value, 'results', count);
  if (results.length !== count) throw new BadMessageError('a message has a wrong number of results');
  return results.map((each) => {
    const { outcome, isMpPrioRequested, reason } = readMembers(each, 'result');
    if (outcome === 'not-tried') return { outcome };
    return {
      outcome: readWord(outcome, 'outcome', OUTCOMES),
      isMpPrioRequested: readBoolean(isMpPrioRequested, 'isMpPrioRequested'),
      ...(reason !== undefined && { reason: readText(reason, 'reason', BOUNDS.text) }),
    };
  });
}

export function readSentences(value: unknown): string[] {
  return readList(value, 'problems', BOUNDS.problems).map((text) => readText(text, 'problem', BOUNDS.text));
}

export function readPlainPeers(pid: number, value: unknown): PlainPeer[] {
  return readList(value, 'plain', BOUNDS.connections).map((each) => {
    const [address, port, since] = readList(each, 'plain', 3);
    const remote = readEndpoint(address, port);
    if (since === null) return { pid, remote };
    const fellBackSince = readInteger(since, 'time', 0, Number.MAX_SAFE_INTEGER);
    return { pid, remote, fellBack: true, ...(fellBackSince > 0 && { fellBackSince }) };
  });
}
