import { whyDenied } from '../../util/denied.js';
import { hasCode, reasonOf } from '../../util/errno.js';
import type { ManagementTarget } from './listener.js';

/** As admins write it. */
export function describeTarget(target: ManagementTarget): string {
  return 'socket' in target ? target.socket : `${target.host}:${target.port}`;
}

/** Why nobody is reached there, and what to look at. */
export function describeConnectError(error: Error): string {
  if (hasCode(error, 'ENOENT'))
    return 'there is no such socket (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'ECONNREFUSED'))
    return 'nobody listens there (is OpenVPN running, with this `management` line?)';
  if (hasCode(error, 'EAGAIN')) {
    return 'too many others wait for it (OpenVPN serves one management client at a time): end the other clients';
  }
  // of a unix socket, whose path Node gives
  if ('address' in error && typeof error.address === 'string')
    return whyDenied(error, 'write to', error.address);
  return reasonOf(error);
}

/** The beginning of what came, as JSON has it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text);
}
