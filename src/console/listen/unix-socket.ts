import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import type { ConsoleConfig } from '../../config/config.js';
import { whyDenied } from '../../util/denied.js';
import { makeDirectory } from '../../util/directory.js';
import { giveToGroup, requireGroup } from '../common/group.js';
import { findUntrustedServer } from '../common/server-identity.js';
import { userName } from '../common/users.js';

/**
 * Makes a server listen on a unix socket with this mode and group. Replaces the socket of a daemon that has died.
 * @throws {Error} naming the socket if another daemon serves it, or if it cannot be made. The server may then be listening.
 */
export async function listenOnUnixSocket(
  server: Server,
  { socket, mode, group }: Pick<ConsoleConfig, 'socket' | 'mode' | 'group'>,
): Promise<void> {
  const owner = group === undefined ? undefined : { name: group, gid: requireGroup(group) };
  try {
    makeDirectory(dirname(socket));
  } catch (error) {
    throw cannotMake(socket, error);
  }
  await removeStaleSocket(socket);
  // until mode and group are set, only this process's user may connect
  const umask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, resolve);
    });
  } catch (error) {
    throw cannotMake(socket, error);
  } finally {
    process.umask(umask);
  }
  // accept() fails while no file descriptor is free; the client can connect again later
  server.removeAllListeners('error').on('error', () => undefined);
  try {
    if (owner !== undefined) giveToGroup(socket, owner);
    chmodSync(socket, mode);
  } catch (error) {
    throw cannotMake(socket, error);
  }
}

function cannotMake(socket: string, error: unknown): Error {
  const reason = whyDenied(error, 'write to', dirname(socket));
  return new Error(`the console socket ${socket} cannot be made: ${reason}`, { cause: error });
}

interface ProbeResult {
  /** Error code of connect(2). */
  readonly refusal?: string;
  /** Who serves the socket, if it is not a daemon of ours. */
  readonly untrusted?: string;
}

/** Removes a socket that nobody serves any more, because its daemon was killed. */
async function removeStaleSocket(path: string): Promise<void> {
  let stats;
  try {
    stats = lstatSync(path);
  } catch {
    return;
  }
  if (!stats.isSocket())
    throw new Error(`${path} exists and is not a socket: remove it, or set [console] socket`);
  const { refusal, untrusted } = await probe(path);
  if (untrusted !== undefined) throw new Error(`${path}: ${untrusted}: end that program, then: rm ${path}`);
  const notOurs = `${path} was made by user ${userName(stats.uid)}: if no subflowd of that user runs, remove it: rm ${path}`;
  if (refusal === 'EACCES') throw new Error(notOurs);
  // only these codes mean that nobody listens: connecting to a daemon whose queue is full gives EAGAIN
  if (refusal !== 'ECONNREFUSED' && refusal !== 'ENOENT')
    throw new Error(`another subflowd serves ${path}: stop it first, or set [console] socket`);
  try {
    rmSync(path, { force: true });
  } catch (error) {
    if (stats.uid === process.geteuid?.()) throw cannotMake(path, error);
    throw new Error(notOurs, { cause: error });
  }
}

async function probe(path: string): Promise<ProbeResult> {
  return new Promise<ProbeResult>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      const untrusted = untrustedText(socket);
      resolve({ ...(untrusted !== undefined && { untrusted }) });
      socket.destroy();
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve({ ...(code !== undefined && { refusal: code }) });
    });
  });
}

function untrustedText(socket: Socket): string | undefined {
  try {
    return findUntrustedServer(socket)?.text;
  } catch {
    return undefined; // it is not known who serves it: assume a daemon of ours, which must not be replaced
  }
}
