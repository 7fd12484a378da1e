import { readFile } from 'node:fs/promises';

const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/**
 * The congestion control of every namespace: as on nearly every host, or, where this machine allows no namespace cubic (it need not
 * where its default is another: net/ipv4/tcp_cong.c, tcp_set_default_congestion_control), reno, which all allow and which
 * goes by loss as well. What does not, as BBR, makes other queues.
 */
export async function congestionControl(): Promise<'cubic' | 'reno'> {
  const allowed = (await readFile(ALLOWED, 'utf8')).trim().split(' ');
  return allowed.includes('cubic') ? 'cubic' : 'reno';
}
