import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { journalEntry, journalSender } from '../../src/journal.js';
import { loadAddon } from '../../src/native/addon.js';
import { isJournalStream } from '../../src/service-log.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const INFO = { level: 30, time: 1 };

describe('journalEntry', () => {
  it('has a sentence, the level of syslog, and a field for each member', () => {
    const line = {
      ...INFO,
      event: 'switch',
      server: 'lab',
      commonName: 'alice',
      from: null,
      to: 'lte',
      peerTold: true,
      msg: 'alice: to lte',
    };
    expect(journalEntry(line).split('\n')).toEqual([
      'MESSAGE=alice: to lte',
      'PRIORITY=6',
      'SYSLOG_IDENTIFIER=subflowd',
      'SUBFLOWD_EVENT=switch',
      'SUBFLOWD_SERVER=lab',
      'SUBFLOWD_CLIENT=alice',
      'SUBFLOWD_TO=lte',
      'SUBFLOWD_PEER_TOLD=true',
      '',
    ]);
  });

  it.each([
    [10, 7],
    [20, 7],
    [30, 6],
    [40, 4],
    [50, 3],
    [60, 2],
    [99, 6],
  ])('of level %d has priority %d', (level, priority) => {
    expect(journalEntry({ level, time: 1, msg: 'x' })).toContain(`\nPRIORITY=${priority}\n`);
  });

  it('has the server and the client of an override, and the number of a console client apart from both', () => {
    const entry = journalEntry({ ...INFO, key: 'lab/al/ice', client: 7, msg: 'x' });
    expect(entry).toContain('\nSUBFLOWD_SERVER=lab\nSUBFLOWD_CLIENT=al/ice\nSUBFLOWD_CONSOLE_CLIENT=7\n');
  });

  it('lets no name begin a field or hide', () => {
    const name = 'x\nPRIORITY=0\nMESSAGE=owned\u202e';
    const lines = journalEntry({ ...INFO, commonName: name, paths: [name], msg: name })
      .trimEnd()
      .split('\n');
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toMatch(/^[ -~]+$/);
  });
});

describe('journalSender', () => {
  it('sends an entry as one datagram, and says what could not be sent', async () => {
    const socket = join(temporaryDirectory(), 's');
    const send = journalSender(socket);
    expect(send({ ...INFO, msg: 'nobody listens' })).toBe(false);
    const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("bound", flush=True)
sys.stdout.buffer.write(s.recv(65536)); sys.stdout.flush()`;
    const journal = spawn('python3', ['-c', program, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    let received = '';
    journal.stdout.on('data', (chunk: Buffer) => (received += chunk.toString()));
    await once(journal.stdout, 'data');
    expect(send({ ...INFO, msg: 'x'.repeat(1 << 20) })).toBe(false);
    expect(send({ ...INFO, event: 'ready', msg: 'it serves' })).toBe(true);
    await once(journal, 'close');
    expect(received).toBe(
      'bound\nMESSAGE=it serves\nPRIORITY=6\nSYSLOG_IDENTIFIER=subflowd\nSUBFLOWD_EVENT=ready\n',
    );
  });

  it.each(['', '\0abstract', 'a\0b', `/${'x'.repeat(108)}`])('refuses the path %j', (path) => {
    expect(() => loadAddon().sendDatagram(path, new Uint8Array(1))).toThrow(TypeError);
  });
});

describe('isJournalStream', () => {
  it('is true only for the stream that the descriptor is', () => {
    const fd = openSync('/dev/null', 'r');
    const { dev, ino } = fstatSync(fd);
    expect(isJournalStream(`${dev}:${ino}`, fd)).toBe(true);
    expect(isJournalStream(`${dev}:${ino + 1}`, fd)).toBe(false);
    expect(isJournalStream('nonsense', fd)).toBe(false);
    expect(isJournalStream(undefined, fd)).toBe(false);
    closeSync(fd);
    expect(isJournalStream(`${dev}:${ino}`, fd)).toBe(false);
  });
});
