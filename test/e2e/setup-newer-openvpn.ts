import { fetchNewerOpenvpn } from '../lab/openvpn/newer.js';

/** Gets the newer OpenVPN before its tests. If it is not available, they are skipped; if CI is set, they fail. */
export async function setup(): Promise<void> {
  await fetchNewerOpenvpn().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
  });
}
