import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../../../src/console/common/answer.js';
import {
  CLIENT_LIMITS,
  ClientConnection,
  MAX_QUERIES,
  MUCH_UNREAD_BYTES,
} from '../../../../src/console/listen/client-connection.js';
import { UnreadAnswers } from '../../../../src/console/listen/unread.js';
import { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';

let directory: string;
let server: Server;
let peer: Talker;
let served: Socket;
/** By query that waits for its answer: the function that answers it. */
let asked: Map<string, (answer: Answer) => void>;

/** Lines that begin with this are answered at once. */
const LARGE = 'large';
const LARGE_ANSWER = 'x'.repeat(MUCH_UNREAD_BYTES / 2);

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-ahead-'));
  asked = new Map();
  server = createServer({ allowHalfOpen: true }, (socket) => {
    served = socket.on('error', () => undefined);
    new ClientConnection(socket, CLIENT_LIMITS, new UnreadAnswers(), () => ({
      run: (line, respond) => {
        asked.set(line, respond);
        if (line.startsWith(LARGE)) respond({ lines: [LARGE_ANSWER] });
        return true;
      },
      leave: () => undefined,
    }));
  }).listen(join(directory, 'console'));
  await once(server, 'listening');
  peer = await Talker.connect(join(directory, 'console'));
});
afterEach(async () => {
  peer.close();
  served.destroy();
  server.close();
  await once(server, 'close');
  rmSync(directory, { recursive: true });
});

/** Sends lines, and waits until the first is run. */
async function say(count: number, name: (index: number) => string): Promise<void> {
  const lines = Array.from({ length: count }, (_, index) => name(index));
  peer.say(lines.join('\n'));
  await until('the first is asked', () => asked.has(lines[0] ?? ''));
}

describe('queries that a client sends ahead', () => {
  it('are forwarded up to 16 at a time, and the next when the first is answered', async () => {
    await say(40, (index) => `question ${index}`);
    expect(asked.size).toBe(MAX_QUERIES);
    asked.get('question 0')?.({ lines: ['answer 0'] });
    await until('the answer is there', () => peer.text === 'answer 0\r\n');
    expect(asked.size).toBe(MAX_QUERIES + 1);
  });

  it('wait while 1 MiB of answers wait for an earlier one', async () => {
    await say(10, (index) => (index === 0 ? 'slow' : `${LARGE} ${index}`));
    expect([...asked.keys()]).toEqual(['slow', 'large 1', 'large 2']);
    asked.get('slow')?.({ lines: ['at last'] });
    await until('all are answered', () => peer.text.length > 9 * LARGE_ANSWER.length);
    expect(asked.size).toBe(10);
  });
});
