/** What only one client at a time may answer OpenVPN. */
export type Claim = 'auth' | 'questions';

/**
 * What the console does with a command of OpenVPN's.
 * - `question`: it changes nothing. Passed on; those who ask the same at the same time have one answer.
 * - `order`: it changes OpenVPN for all, as its sender wants (`verb 4`, `kill alice`, `signal SIGUSR1`). Passed on.
 * - `stream`: `log`, `echo`, `state`. The history is OpenVPN's; `on` and `off` are the client's own.
 * - `bytecount`: each client its own interval; OpenVPN has the shortest.
 * - `hold`: each client its own flag, for as long as it is connected; OpenVPN holds while one wants it.
 * - `env-filter`: done here, as the sidecar needs variables that a filter would take away.
 * - `version`: which questions a client understands: OpenVPN has that of the client who answers them.
 * - `limited`: passed on, unless it would keep OpenVPN from its work.
 * - a claim: passed on for the one client who has claimed it, or, if nobody has, for whom OpenVPN accepts it.
 */
export type Disposition =
  | 'question'
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
 * Every command of OpenVPN 2.4 to 2.7 (`man_dispatch_command` in manage.c) but `exit` and `quit`, which never get
 * there: they end one client of the console.
 */
export const DISPOSITIONS: ReadonlyMap<string, Disposition> = new Map<string, Disposition>([
  ['help', 'question'],
  ['version', 'version'],
  ['pid', 'question'],
  ['nclients', 'question'],
  ['load-stats', 'question'],
  ['status', 'question'],
  ['net', 'question'],
  ['remote-entry-count', 'question'],
  ['remote-entry-get', 'question'],
  ['pkcs11-id-count', 'question'],
  ['pkcs11-id-get', 'question'],
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
