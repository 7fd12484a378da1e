import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Backoff } from '../../../../src/util/backoff.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import { type ClientMessage } from '../../../../src/openvpn/management/client-messages.js';
import { type ManagementOptions } from '../../../../src/openvpn/management/management-types.js';
import { until } from '../../../support/until.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const GREETING = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";
const VERSION = 'OpenVPN Version: OpenVPN 2.6.14 x86_64\r\nManagement Version: 5\r\nEND\r\n';

/** A peer that listens at the address of a management interface, and what the client under test reported. */
class Peer {
  readonly problems: string[] = [];
  readonly messages: ClientMessage[] = [];
  readonly statuses: (readonly string[])[] = [];
  readonly received: string[] = [];
  ready = 0;
  lost = 0;
  connections = 0;
  socket: Socket | undefined;
  management: Management | undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param onConnect sends the greeting. @param onLine answers a line. */
  static async listen(
    where: string | 0,
    onConnect: (socket: Socket, count: number) => void,
    onLine: (line: string, socket: Socket) => void = () => undefined,
  ): Promise<Peer> {
    const server = createServer();
    const peer = new Peer(server);
    server.on('connection', (socket) => {
      peer.connections += 1;
      peer.socket = socket;
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        for (const line of data.toString().split('\n').slice(0, -1)) {
          peer.received.push(line);
          onLine(line, socket);
        }
      });
      onConnect(socket, peer.connections);
    });
    server.listen(where === 0 ? { port: 0, host: '127.0.0.1' } : { path: where });
    await once(server, 'listening');
    return peer;
  }

  /** @param host the client connects there; default: where the peer listens. */
  connect(options: ManagementOptions = {}, host?: string): Management {
    const address = this.#server.address() as AddressInfo | string;
    const target =
      typeof address === 'string'
        ? { socket: address }
        : { host: host ?? address.address, port: address.port };
    const management = new Management(target, { backoff: new Backoff(10, 40), ...options })
      .on('problem', (text) => this.problems.push(text))
      .on('client', (message) => this.messages.push(message))
      .on('status', (lines) => this.statuses.push(lines))
      .on('ready', () => (this.ready += 1))
      .on('lost', () => (this.lost += 1));
    this.management = management;
    management.start();
    return management;
  }

  async close(): Promise<void> {
    this.management?.stop();
    this.socket?.destroy();
    this.#server.close();
    await sleep(0);
  }
}

/** Answers as OpenVPN does. */
function answer(line: string, socket: Socket): void {
  if (line === 'version') socket.write(VERSION);
  if (line === 'pid') socket.write('SUCCESS: pid=4242\r\n');
  if (line === 'status 3') socket.write('TITLE\tOpenVPN 2.6.14\r\nGLOBAL_STATS\tdco_enabled\t0\r\nEND\r\n');
}

const greet = (socket: Socket): void => {
  socket.write(GREETING);
};

let directory: string;
let peer: Peer | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-management-'));
});

afterEach(async () => {
  await peer?.close();
  peer = undefined;
  rmSync(directory, { recursive: true, force: true });
});

describe('the management client', () => {
  it.each(['unix', 'tcp'])('reads the process and the status over a %s socket', async (kind) => {
    const talk = await Peer.listen(kind === 'tcp' ? 0 : join(directory, 's'), greet, answer);
    peer = talk;
    const management = talk.connect();
    const [info] = (await once(management, 'ready')) as unknown[];
    expect(info).toEqual({ pid: 4242, version: 'OpenVPN 2.6.14 x86_64' });
    management.requestStatus();
    management.requestStatus();
    await until('a status', () => talk.statuses.length === 1);
    expect(talk.statuses).toEqual([['TITLE\tOpenVPN 2.6.14', 'GLOBAL_STATS\tdco_enabled\t0']]);
    expect(talk.received).toEqual(['version', 'pid', 'status 3']);
    expect(talk.problems).toEqual([]);
  });

  it('connects to this host at the unspecified address', async () => {
    const talk = await Peer.listen(0, greet, answer);
    peer = talk;
    await once(talk.connect({}, '0.0.0.0'), 'ready');
    expect(talk.problems).toEqual([]);
  });

  it('reads text that arrives byte by byte', async () => {
    // the answers after the questions, which follow the greeting at once
    const bytes = Buffer.from(
      `${GREETING}>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,common_name=Zoë\r\n>CLIENT:ENV,END\r\n` +
        `${VERSION}SUCCESS: pid=4242\r\n`,
    );
    const talk = await Peer.listen(join(directory, 's'), (socket) => {
      void (async () => {
        for (const byte of bytes) {
          socket.write(Buffer.of(byte));
          await sleep(0);
        }
      })();
    });
    peer = talk;
    await once(talk.connect(), 'ready');
    expect(talk.messages).toMatchObject([{ type: 'ESTABLISHED', cid: 7 }]);
    expect(talk.messages[0]?.fields.get('common_name')).toBe('Zoë');
  });

  it('reads real-time messages in the middle of an answer, and keeps only the variables that it needs', async () => {
    const talk = await Peer.listen(join(directory, 's'), greet, (line, socket) => {
      if (line !== 'status 3') answer(line, socket);
      else {
        socket.write(
          'TITLE\tx\r\n>CLIENT:DISCONNECT,3\r\n>CLIENT:ENV,common_name=a=b "c"\r\n>CLIENT:ENV,X509_0_CN=a\r\n' +
            '>CLIENT:ENV,END\r\n>LOG:1,I,END\r\n>CLIENT:ADDRESS,3,10.8.0.2,1\r\nTIME\ty\r\nEND\r\n',
        );
      }
    });
    peer = talk;
    const management = talk.connect();
    await once(management, 'ready');
    management.requestStatus();
    await until('a status', () => talk.statuses.length === 1);
    expect(talk.statuses).toEqual([['TITLE\tx', 'TIME\ty']]);
    expect(talk.messages).toEqual([
      { type: 'DISCONNECT', cid: 3, fields: new Map([['common_name', 'a=b "c"']]) },
    ]);
  });

  it('sends the first line of the password file at the prompt, which has no line end', async () => {
    const passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, 'open sesame\r\nsecond line\n');
    const talk = await Peer.listen(
      join(directory, 's'),
      (socket) => socket.write('ENTER PASSWORD:'),
      (line, socket) => {
        if (line === 'open sesame') socket.write(`SUCCESS: password is correct\r\n${GREETING}`);
        else answer(line, socket);
      },
    );
    peer = talk;
    await once(talk.connect({ passwordFile }), 'ready');
    expect(talk.received).toEqual(['open sesame', 'version', 'pid']);
  });

  it.each([
    ['is missing', undefined, /asks for a password; to fix it: set `password-file =`/],
    [
      'cannot be read',
      '/nonexistent/password',
      /asks for a password: \/nonexistent\/password cannot be read: ENOENT/,
    ],
    ['is wrong', 'wrong', /refuses the password in .*wrong/],
  ])('reports that the password %s', async (_what, file, problem) => {
    const passwordFile = file === 'wrong' ? join(directory, 'wrong') : file;
    if (file === 'wrong') writeFileSync(join(directory, 'wrong'), 'x\n');
    const talk = await Peer.listen(
      join(directory, 's'),
      (socket) => socket.write('ENTER PASSWORD:'),
      (_line, socket) => socket.write('ERROR: bad password\r\nENTER PASSWORD:'),
    );
    peer = talk;
    const management = talk.connect(passwordFile === undefined ? {} : { passwordFile });
    await until('three tries', () => talk.connections >= 3);
    expect(talk.problems).toHaveLength(1);
    expect(talk.problems[0]).toMatch(problem);
    expect(management.problem).toBe(talk.problems[0]);
  });

  it('discards an unfinished line when the peer disconnects, and connects again', async () => {
    const talk = await Peer.listen(
      join(directory, 's'),
      (socket, count) => {
        if (count === 1) socket.end(`${GREETING}>CLIENT:ESTABLISHED,1\r\n>CLIENT:ENV,common_name=ali`);
        else greet(socket);
      },
      (line, socket) => {
        if (talk.connections > 1) answer(line, socket);
      },
    );
    peer = talk;
    await once(talk.connect(), 'ready');
    expect(talk.connections).toBe(2);
    expect(talk.problems).toEqual([
      expect.stringContaining('it closed the connection in the middle of a line'),
    ]);
    talk.socket?.write('ce\r\n>CLIENT:ENV,END\r\n>CLIENT:DISCONNECT,9\r\n>CLIENT:ENV,END\r\n');
    await until('the message', () => talk.messages.length > 0);
    expect(talk.messages).toMatchObject([{ type: 'DISCONNECT', cid: 9 }]);
  });

  it('disconnects a peer that sends 1 MB without a line end', async () => {
    let sent = 0;
    const talk = await Peer.listen(join(directory, 's'), (socket) => {
      socket.write(GREETING);
      const more = (): void => {
        if (sent >= 1_000_000 || socket.destroyed) return;
        sent += 10_000;
        socket.write('x'.repeat(10_000), more);
      };
      more();
    });
    peer = talk;
    talk.connect();
    await until('a second try', () => talk.connections >= 2);
    expect(talk.problems[0]).toMatch(
      /it sent a line longer than 65536 bytes: it is not a management interface/,
    );
  });

  it('disconnects a peer whose answer does not end', async () => {
    const line = `CLIENT_LIST\t${'x'.repeat(60_000)}\r\n`;
    const talk = await Peer.listen(join(directory, 's'), greet, (text, socket) => {
      if (text !== 'status 3') {
        answer(text, socket);
        return;
      }
      const more = (): void => {
        if (!socket.destroyed) socket.write(line, more);
      };
      more();
    });
    peer = talk;
    const management = talk.connect();
    await once(management, 'ready');
    management.requestStatus();
    await until('it is lost', () => talk.lost === 1);
    expect(talk.problems).toEqual([expect.stringMatching(/its answer to "status 3" is longer than/)]);
    expect(talk.statuses).toEqual([]);
  });

  it.each([
    [
      'greets as something else',
      (socket: Socket) => socket.write('220 mail ESMTP\r\n'),
      /it greets with "220 mail ESMTP"/,
    ],
    ['does not greet', () => undefined, /probably another management client is connected/],
  ])('reports that the peer %s', async (_what, onConnect, problem) => {
    const talk = await Peer.listen(0, onConnect);
    peer = talk;
    talk.connect({ greetingMs: 50 });
    await until('three tries', () => talk.connections >= 3);
    expect(talk.problems).toEqual([expect.stringMatching(problem)]);
    expect(talk.received).toEqual([]);
  });

  it('does not report a password that the peer sends back', async () => {
    const file = join(directory, 'password');
    writeFileSync(file, 'sesame and lilies\n');
    const talk = await Peer.listen(
      join(directory, 's'),
      (socket) => {
        socket.write('ENTER PASSWORD:');
      },
      (line, socket) => {
        if (talk.connections === 1) socket.write(`you said: ${line}\r\n`);
        else if (line.includes('lilies')) socket.write(`SUCCESS: password is correct\r\n${GREETING}`);
        else socket.write('END\r\nSUCCESS: sesame and lilies\r\n');
      },
    );
    peer = talk;
    talk.connect({ passwordFile: file });
    await until('two problems', () => talk.problems.length >= 2);
    expect(talk.problems).toEqual([
      expect.stringContaining('it greets with text that contains the password'),
      expect.stringContaining('it answers "pid" with text that contains the password'),
    ]);
  });

  it.each([
    ['Password "Auth" lilies', 'a command'],
    ['lilies', 'a command'],
    ['password "Auth" lilies', '"password"'],
    ['status 2', '"status 2"'],
  ])('reports only the name of a command that is not answered: %s', async (text, name) => {
    const talk = await Peer.listen(join(directory, 's'), greet, answer);
    peer = talk;
    const management = talk.connect({ answerMs: 50 });
    await once(management, 'ready');
    management.ask({ text, endings: ['line'] }, () => undefined);
    await until('it is given up', () => talk.problems.length > 0);
    expect(talk.problems[0]).toMatch(new RegExp(`: it does not answer ${name} within 0.05 s`));
  });

  it('disconnects a peer that does not answer, and one with a wrong answer', async () => {
    const talk = await Peer.listen(join(directory, 's'), greet, (line, socket) => {
      if (talk.connections === 1) return;
      if (talk.connections === 2 && line === 'pid') socket.write('SUCCESS: pid=many\r\n');
      else answer(line, socket);
    });
    peer = talk;
    await once(talk.connect({ answerMs: 50 }), 'ready');
    expect(talk.problems).toEqual([
      expect.stringContaining('does not answer "version" within 0.05 s'),
      expect.stringContaining('it answers "pid" with "SUCCESS: pid=many"'),
    ]);
  });

  it('reports what OpenVPN waits for', async () => {
    const talk = await Peer.listen(
      join(directory, 's'),
      (socket) => {
        socket.write(
          `${GREETING}>HOLD:Waiting for hold release:10\r\n>PASSWORD:Need 'Private Key' password\r\n` +
            '>CLIENT:CONNECT,0,0\r\n>CLIENT:ENV,common_name=a\r\n>CLIENT:ENV,END\r\n',
        );
      },
      answer,
    );
    peer = talk;
    await once(talk.connect(), 'ready');
    expect(talk.problems).toEqual([
      expect.stringContaining('management-hold'),
      expect.stringContaining('waits for a password'),
      expect.stringContaining('management-client-auth'),
    ]);
    expect(talk.received).toEqual(['version', 'pid']);
    expect(talk.messages).toEqual([]);
  });

  it('tries a missing socket less and less often, and reports it once', async () => {
    const problems: string[] = [];
    const management = new Management({ socket: join(directory, 'none') }, { backoff: new Backoff(5, 20) });
    management.on('problem', (text) => problems.push(text));
    management.start();
    await sleep(200);
    management.stop();
    expect(problems).toEqual([expect.stringMatching(/none is not available: there is no such socket/)]);
  });

  it('closes its connection when it is stopped', async () => {
    const talk = await Peer.listen(join(directory, 's'), greet, answer);
    peer = talk;
    const management = talk.connect();
    await once(management, 'ready');
    management.requestStatus();
    management.stop();
    await until(
      'the peer sees it',
      () => talk.socket?.destroyed === true || talk.socket?.readableEnded === true,
    );
    await sleep(100);
    expect(talk.connections).toBe(1);
    expect(talk.statuses).toEqual([]);
    expect(talk.problems).toEqual([]);
  });
});

describe('Backoff', () => {
  it('doubles up to its maximum, stays above its minimum, and can be reset', () => {
    const backoff = new Backoff(250, 15_000);
    const waits = Array.from({ length: 40 }, () => backoff.next());
    waits.forEach((wait, index) => {
      expect(wait).toBeGreaterThanOrEqual(250);
      expect(wait).toBeLessThanOrEqual(Math.min(15_000, 250 * 2 ** index));
    });
    expect(waits.at(-1)).toBeGreaterThanOrEqual(7_500);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
});
