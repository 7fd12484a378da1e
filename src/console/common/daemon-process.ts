import { once } from 'node:events';
import { connect } from 'node:net';
import { unixPeer } from '../../native/unix-peer.js';

/** @returns the PID of the process that serves a console socket; undefined if nobody does, or if it has no PID here. */
export async function daemonProcess(path: string): Promise<number | undefined> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
    const { pid = 0 } = unixPeer(socket) ?? {};
    return pid === 0 ? undefined : pid;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}
