/**
 * Every command of OpenVPN 2.4 to 2.7 (`man_dispatch_command` in manage.c). Problems name only these. Any other first word of
 * a line can be a password that somebody typed as a command.
 */
export const COMMAND_NAMES: ReadonlySet<string> = new Set([
  'auth-retry', 'bytecount', 'certificate', 'client-auth', 'client-auth-nt', 'client-deny', 'client-kill',
  'client-pending-auth', 'client-pf', 'cr-response', 'echo', 'env-filter', 'forget-passwords', 'help', 'hold', 'kill',
  'load-stats', 'log', 'mute', 'nclients', 'needok', 'needstr', 'net', 'password', 'pid', 'pk-sig', 'pkcs11-id-count',
  'pkcs11-id-get', 'proxy', 'push-update-broad', 'push-update-cid', 'remote', 'remote-entry-count', 'remote-entry-get',
  'rsa-sig', 'signal', 'state', 'status', 'test', 'username', 'verb', 'version',
]); // prettier-ignore
