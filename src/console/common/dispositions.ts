/** What only one console client at a time may answer: `auth`, whether OpenVPN lets clients in; `questions`, the rest. */
export type Claim = 'auth' | 'questions';

/**
 * What the console does with a command of OpenVPN.
 * - `query`: it changes nothing. It is forwarded. Clients that send the same query at the same time share one reply.
 * - `order`: it changes OpenVPN for everybody (`verb 4`, `kill alice`, `signal SIGUSR1`). It is forwarded and logged.
 * - `stream`: `log`, `echo`, `state`. The history comes from OpenVPN. Each client has its own `on` and `off`.
 * - `bytecount`: each client has its own interval. OpenVPN gets the shortest.
 * - `hold`: each client has its own flag while it is connected. OpenVPN holds while one client wants it.
 * - `env-filter`: the console filters by itself, because subflowd needs variables that OpenVPN's filter would remove.
 * - `version`: it decides which questions a client understands. OpenVPN gets the version of the client that answers.
 * - `limited`: it is forwarded, unless it would keep OpenVPN busy for too long.
 * - a claim: it is forwarded for the client that has the claim. If no client has it, the first client whose command OpenVPN
 *   accepts gets it.
 */
export type Disposition =
  | 'query'
  | 'order'
  | 'stream'
  | 'bytecount'
  | 'hold'
  | 'env-filter'
  | 'version'
  | 'limited'
  | { readonly claim: Claim };

const AUTH = { claim: 'auth' } as const;
const QUESTIONS = { claim: 'questions' } as const;

/**
 * Every command of OpenVPN 2.4 to 2.7 (`man_dispatch_command` in manage.c), except `exit` and `quit`. These never reach
 * OpenVPN: they end the connection of one console client.
 */
export const DISPOSITIONS: ReadonlyMap<string, Disposition> = new Map<string, Disposition>([
  ['help', 'query'],
  ['version', 'version'],
  ['pid', 'query'],
  ['nclients', 'query'],
  ['load-stats', 'query'],
  ['status', 'query'],
  ['net', 'query'],
  ['remote-entry-count', 'query'],
  ['remote-entry-get', 'query'],
  ['pkcs11-id-count', 'query'],
  ['pkcs11-id-get', 'query'],
  ['log', 'stream'],
  ['echo', 'stream'],
  ['state', 'stream'],
  ['bytecount', 'bytecount'],
  ['hold', 'hold'],
  ['env-filter', 'env-filter'],
  ['test', 'limited'],
  ['signal', 'order'],
  ['kill', 'order'],
  ['client-kill', 'order'],
  ['verb', 'order'],
  ['mute', 'order'],
  ['auth-retry', 'order'],
  ['forget-passwords', 'order'],
  ['client-pf', 'order'],
  ['push-update-broad', 'order'],
  ['push-update-cid', 'order'],
  ['client-auth', AUTH],
  ['client-auth-nt', AUTH],
  ['client-deny', AUTH],
  ['client-pending-auth', AUTH],
  ['username', QUESTIONS],
  ['password', QUESTIONS],
  ['needok', QUESTIONS],
  ['needstr', QUESTIONS],
  ['cr-response', QUESTIONS],
  ['pk-sig', QUESTIONS],
  ['rsa-sig', QUESTIONS],
  ['certificate', QUESTIONS],
  ['remote', QUESTIONS],
  ['proxy', QUESTIONS],
]);
