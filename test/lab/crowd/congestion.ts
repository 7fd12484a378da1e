import { readFile } from 'node:fs/promises';

const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/**
 * The congestion control of every namespace: cubic, as on nearly every host. If this machine's default is another one, a
 * namespace may not be allowed to use cubic (`tcp_set_default_congestion_control` in net/ipv4/tcp_cong.c). Then it is reno,
 * which is always allowed and reacts to loss as well. With one that does not, such as BBR, queues would be different.
 */
export async function congestionControl(): Promise<'cubic' | 'reno'> {
  const allowed = (await readFile(ALLOWED, 'utf8')).trim().split(' ');
  return allowed.includes('cubic') ? 'cubic' : 'reno';
}
