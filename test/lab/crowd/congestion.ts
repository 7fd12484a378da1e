import { readFile, writeFile } from 'node:fs/promises';
import type { Cleanup } from '../cleanup.js';

const file = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';
const wanted = 'cubic';

/** For every namespace: TCP as on nearly every host. Another kernel's default would make other queues. */
export const congestionControl = { 'net.ipv4.tcp_congestion_control': wanted };

/**
 * Lets namespaces be told so. Only what is allowed in the whole machine is allowed in them, which a machine's default always
 * is (net/ipv4/tcp_cong.c, tcp_set_default_congestion_control); `cleanup` puts back what was there.
 */
export async function allowCongestionControl(cleanup: Cleanup): Promise<void> {
  const before = (await readFile(file, 'utf8')).trim();
  if (before.split(' ').includes(wanted)) return;
  await writeFile(file, `${before} ${wanted}`).catch((cause: unknown) => {
    throw new Error(`this kernel has no TCP congestion control ${wanted}`, { cause });
  });
  cleanup.add(() => writeFile(file, before));
}
