import { whyDenied } from '../../util/denied.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import type { ManagementTarget } from './listener.js';

const NEEDS_MANAGEMENT_DIRECTORY =
  'let OpenVPN make it where the daemon may use it: `management /run/subflowd/management/NAME.sock unix` in its config and the ' +
  'same path in subflowd.ini (openvpn-conf/subflowd-tmpfiles.conf makes the directory)';

/** The address of a management interface, as in subflowd.ini. */
export function describeTarget(target: ManagementTarget): string {
  return 'socket' in target ? target.socket : `${target.host}:${target.port}`;
}

/** Why a connection failed, and how to fix it. */
export function describeConnectError(error: Error): string {
  if (hasCode(error, 'ENOENT'))
    return 'there is no such socket (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'ECONNREFUSED'))
    return 'nothing listens there (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'EAGAIN')) {
    return 'too many other clients wait for it (OpenVPN serves one at a time); to fix it: end the other clients';
  }
  // Node sets the path of a unix socket
  if ('address' in error && typeof error.address === 'string')
    return whyDenied(error, 'write to', error.address, NEEDS_MANAGEMENT_DIRECTORY);
  return reasonOf(error);
}

/** The first 120 characters of a text, as JSON. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
