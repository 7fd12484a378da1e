import type { Session } from '../../src/model/session.js';
import type { ImageSocket } from './kernel-image-types.js';

/** The server's end of all subflows. */
export const SERVER = { address: '192.168.110.2', port: 1194 };
/** Alice's end of the subflow on each path. */
export const WIFI = { address: '192.168.100.2', port: 38456 };
export const LTE = { address: '192.168.200.2', port: 43622 };
/** The server's process. */
export const PID = 4321;

/** One client with both paths, as the kernel has it. */
export const ALICE: ImageSocket = {
  // IPPROTO_MPTCP
  protocol: 262,
  local: SERVER,
  remote: WIFI,
  token: 0xdeadbeef,
  subflows: [
    { local: SERVER, remote: WIFI },
    { local: SERVER, remote: LTE },
  ],
};

/** The same client, as OpenVPN reports it. */
export const ALICE_SESSION: Session = {
  server: 'lab',
  pid: PID,
  commonName: 'alice',
  real: WIFI,
  virtual: ['10.8.0.2'],
};
