import { isFault } from '../util/faults.js';
import type { Problems } from '../util/problems.js';
import { MAX_SESSIONS, type StatusReply } from './management/status.js';

/** Reports what is wrong with an answer to `status`, and resolves the problems of the answer before it. */
export function reportStatusProblems(problems: Problems, server: string, reply: StatusReply): void {
  const unreadable = new Set(reply.problems);
  for (const problem of unreadable) problems.open(problem, `${server}: ${problem}`);
  if (reply.usesDco) {
    problems.open(
      'dco',
      `OpenVPN ${server} uses data-channel offload, which cannot use MPTCP; to fix it: add disable-dco to its config`,
    );
  }
  problems.resolveMatching((key) => {
    if (key === 'dco') return !reply.usesDco;
    if (key === 'too many clients') return reply.omitted === undefined;
    // not problems of an answer
    if (key === 'process' || isFault(key)) return false;
    return !unreadable.has(key);
  });
  if (reply.omitted !== undefined) reportTooManyClients(problems, server);
}

/** Reports that a server has more clients than subflowd reads. */
export function reportTooManyClients(problems: Problems, server: string): void {
  problems.open(
    'too many clients',
    `OpenVPN ${server} has more than ${MAX_SESSIONS} clients: the others are neither shown nor steered, unless the hooks ` +
      'report them; to fix it: run several servers (max-clients in the config of OpenVPN limits the clients of one)',
  );
}
