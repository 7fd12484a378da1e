import { fetchNewerOpenvpn } from '../lab/openvpn/newer.js';

/** Before the tests with the newer OpenVPN. Where it is not available they are skipped, or fail if CI is set. */
export async function setup(): Promise<void> {
  await fetchNewerOpenvpn().catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
  });
}
