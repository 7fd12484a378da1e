import { onTestFinished } from 'vitest';
import { LoopbackVpn } from './openvpn.js';

/** Creates a VPN for the running test and destroys it after the test. Call it in a test or in `beforeEach`. */
export async function vpnForTest(): Promise<LoopbackVpn> {
  const vpn = await LoopbackVpn.create();
  onTestFinished(() => vpn.destroy());
  return vpn;
}
