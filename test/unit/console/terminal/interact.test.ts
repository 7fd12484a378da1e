import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { interact } from '../../../../src/console/terminal/interact.js';
import { ConsoleUnreachable } from '../../../../src/console/terminal/console-error.js';

let directory: string;
let path: string;
let server: Server;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  path = join(directory, 'console.sock');
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** Serves a console that sends this text. */
async function serve(text: string): Promise<void> {
  server = createServer((socket) => socket.on('error', () => undefined).end(text)).listen(path);
  await once(server, 'listening');
}

/** Serves a console that answers each line with this text, and ends at `exit`. */
async function answer(text: string): Promise<void> {
  server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().split('\n').filter(Boolean))
        if (line === 'exit') socket.end();
        else socket.write(text);
    });
  }).listen(path);
  await once(server, 'listening');
}

/** A conversation with these lines as piped input, which does not end by itself. */
function converse(lines: string) {
  const input = new PassThrough();
  const talking = interact(path, { input, output: new PassThrough() });
  input.write(lines);
  return talking;
}

describe('interact', () => {
  it('says whether an answer was an error', async () => {
    await answer('SUCCESS: done\r\n');
    expect(await converse('pid\nexit\n')).toEqual({ hasError: false, isLost: false });
    server.close();
    await answer('ERROR: no such command\r\n');
    expect(await converse('nonsense\nexit\n')).toEqual({ hasError: true, isLost: false });
  });

  it('says whether the console ended without being asked', async () => {
    await serve('>INFO:hello\r\n');
    expect(await converse('pid\n')).toEqual({ hasError: false, isLost: true });
  });

  it('fails with the reason if the console sends a line that is too long', async () => {
    await serve(`one\r\n${'x'.repeat(1_001)}\r\ntwo\r\n`);
    const output = new PassThrough();
    const talking = interact(path, { input: new PassThrough(), output, most: 1_000 });
    await expect(talking).rejects.toBeInstanceOf(ConsoleUnreachable);
    await expect(talking).rejects.toThrow(`the console ${path} sent a line longer than 1000 bytes`);
    expect(String(output.read() ?? '')).not.toContain('two');
  });

  it('shows a line of the greatest length', async () => {
    await serve(`${'x'.repeat(1_000)}\n`);
    const output = new PassThrough();
    await interact(path, { input: new PassThrough(), output, most: 1_000 });
    expect(String(output.read())).toBe(`${'x'.repeat(1_000)}\n`);
  });
});
