import { once } from 'node:events';
import { linkSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConsoleRefusal, ConsoleUnreachable } from '../../../../src/console/terminal/console-error.js';
import { follow, MAX_LINE_BYTES } from '../../../../src/console/terminal/follow.js';
import { talk } from '../../../../src/console/terminal/talk.js';

let directory: string;
let path: string;
let server: Server | undefined;
const sockets = new Set<Socket>();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  path = join(directory, 'console.sock');
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  const closed = server && once(server, 'close');
  server?.close();
  await closed;
  server = undefined;
  rmSync(directory, { recursive: true });
});

/** Serves a console with this behaviour. */
async function serve(behave: (socket: Socket) => void): Promise<void> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    behave(socket);
  }).listen(path);
  await once(server, 'listening');
}

/** Serves a console that answers with these parts. @returns what it receives. */
async function serveAnswer(...parts: readonly string[]): Promise<string[]> {
  const received: string[] = [];
  await serve((socket) => {
    socket.write('>INFO:hello\r\n');
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk.toString());
      for (const part of parts) socket.write(part);
    });
  });
  return received;
}

/** The error of a command to a console that cannot be reached, or does not answer. */
async function failure(timeoutMs?: number): Promise<ConsoleUnreachable> {
  const error: unknown = await talk(path, 'x', timeoutMs === undefined ? {} : { timeoutMs }).catch(
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConsoleUnreachable)) throw new Error(`not ConsoleUnreachable: ${String(error)}`);
  expect(error.message).toContain(path);
  return error;
}

describe('talk returns', () => {
  it('the lines before END', async () => {
    const received = await serveAnswer('one\r\n', '  END\r\n', '>LOG:aside\r\n\r\nE', 'ND\r\nmore\r\n');
    expect(await talk(path, 'mptcp status')).toEqual(['one', '  END', '']);
    expect(received).toEqual(['mptcp status\n']);
  });

  it('the text after SUCCESS:', async () => {
    await serveAnswer('SUCCESS: done\r\nERROR: of the next\r\n');
    expect(await talk(path, 'x')).toEqual(['done']);
  });

  it('an error for ERROR:', async () => {
    await serveAnswer('ERROR: there is no path "moon"\r\n');
    const refused = talk(path, 'x');
    await expect(refused).rejects.toBeInstanceOf(ConsoleRefusal);
    await expect(refused).rejects.toThrow(/^there is no path "moon"$/);
  });

  it('an answer of several megabytes', async () => {
    const json = 'x'.repeat(8 << 20);
    await serveAnswer(json, '\r\nEND\r\n');
    expect(await talk(path, 'x')).toEqual([json]);
  });
});

describe('talk reports', () => {
  it('that there is no socket', async () => {
    const error = await failure();
    expect(error.message).toContain('it is not running; start it');
    expect(error.isAbsent).toBe(true);
  });

  it('that no daemon listens on the socket', async () => {
    await serve(() => undefined);
    // a second name, because closing removes the first
    const kept = `${path}.kept`;
    linkSync(path, kept);
    const closed = server && once(server, 'close');
    server?.close();
    await closed;
    server = undefined;
    renameSync(kept, path);
    const error = await failure();
    expect(error.message).toContain('it is not running; start it');
    expect(error.isAbsent).toBe(true);
  });

  it('that the connection was closed before the end of the answer', async () => {
    await serve((socket) => {
      socket.once('data', () => socket.end('half an answer\r\nEN'));
    });
    const error = await failure();
    expect(error.message).toContain('it closed the connection; try again');
    expect(error.isAbsent).toBe(false);
  });

  it.each([
    ['nothing', []],
    ['half an answer', ['half\r\n']],
  ])('that only %s came in time', async (_, parts) => {
    await serveAnswer(...parts);
    const error = await failure(100);
    expect(error.message).toContain('none came within 0.1 s');
    expect(error.isAbsent).toBe(false);
  });

  it('that the answer is longer than the limit', async () => {
    await serveAnswer(`${'x'.repeat(2_000)}\r\n`, 'END\r\n');
    await expect(talk(path, 'x', { maxBytes: 1_000 })).rejects.toThrow(
      'its answer is longer than 1000 bytes',
    );
  });
});

it('follow ends with the reason if a line is longer than 64 KiB', async () => {
  await serveAnswer('x'.repeat(MAX_LINE_BYTES + 1));
  const watching = follow(path, () => undefined);
  await expect(watching).rejects.toThrow('it sent a line longer than 65536 bytes');
});
