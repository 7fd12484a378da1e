import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { Management } from '../../../../src/openvpn/management/management.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { AS_OPENVPN } from '../../../support/fake-openvpn.js';
import { until } from '../../../support/until.js';
import { directory, GREETED, listen } from './management-peer.js';

describe('the management client', () => {
  it.each([
    ['is missing', undefined, /asks for a password; to fix it: set `password-file =`/],
    [
      'cannot be read',
      '/nonexistent/password',
      /asks for a password: \/nonexistent\/password cannot be read: there is no such file/,
    ],
    ['is wrong', 'wrong', /refuses the password in .*wrong/],
  ])('reports that the password %s', async (_what, file, problem) => {
    const passwordFile = file === 'wrong' ? join(directory, 'wrong') : file;
    if (file === 'wrong') writeFileSync(join(directory, 'wrong'), 'x\n');
    const talk = await listen(join(directory, 's'), {
      greet: (socket) => socket.write('ENTER PASSWORD:'),
      answer: (_line, socket) => socket.write('ERROR: bad password\r\nENTER PASSWORD:'),
    });
    const management = talk.connect(passwordFile === undefined ? {} : { passwordFile });
    await until('three tries', () => talk.fake.connections >= 3);
    expect(talk.problems).toHaveLength(1);
    expect(talk.problems[0]).toMatch(problem);
    expect(management.problem).toBe(talk.problems[0]);
  });

  it('disconnects a peer that sends 1 MB without a line end', async () => {
    let sent = 0;
    const talk = await listen(join(directory, 's'), {
      greet: (socket) => {
        socket.write(GREETED);
        const more = (): void => {
          if (sent >= 1_000_000 || socket.destroyed) return;
          sent += 10_000;
          socket.write('x'.repeat(10_000), more);
        };
        more();
      },
      answer: () => undefined,
    });
    talk.connect();
    await until('a second try', () => talk.fake.connections >= 2);
    expect(talk.problems[0]).toMatch(
      /it sent a line longer than 65536 bytes: it is not a management interface/,
    );
  });

  it('disconnects a peer whose answer does not end', async () => {
    const line = `CLIENT_LIST\t${'x'.repeat(60_000)}\r\n`;
    const talk = await listen(join(directory, 's'), {
      answer: (text, socket) => {
        if (text !== 'status 3') return AS_OPENVPN;
        const more = (): void => {
          if (!socket.destroyed) socket.write(line, more);
        };
        more();
        return undefined;
      },
    });
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
    const talk = await listen(0, { greet: onConnect, answer: () => undefined });
    talk.connect({ greetingMs: 50 });
    await until('three tries', () => talk.fake.connections >= 3);
    expect(talk.problems).toEqual([expect.stringMatching(problem)]);
    expect(talk.fake.received).toEqual([]);
  });

  it('does not report a password that the peer sends back', async () => {
    const file = join(directory, 'password');
    writeFileSync(file, 'sesame and lilies\n');
    const talk = await listen(join(directory, 's'), {
      greet: (socket) => socket.write('ENTER PASSWORD:'),
      answer: (line, socket) => {
        if (talk.fake.connections === 1) socket.write(`you said: ${line}\r\n`);
        else if (line.includes('lilies')) socket.write(`SUCCESS: password is correct\r\n${GREETED}`);
        else socket.write('END\r\nSUCCESS: sesame and lilies\r\n');
      },
    });
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
    const talk = await listen(join(directory, 's'), {
      answer: (line) => (['version', 'env-filter 0', 'pid'].includes(line) ? AS_OPENVPN : undefined),
    });
    const management = talk.connect({ answerMs: 50 });
    await once(management, 'ready');
    management.ask({ text, endings: ['line'] }, () => undefined);
    await until('it is given up', () => talk.problems.length > 0);
    expect(talk.problems[0]).toMatch(new RegExp(`: it does not answer ${name} within 0.05 s`));
  });

  it('disconnects a peer that does not answer, and one with a wrong answer', async () => {
    const talk = await listen(join(directory, 's'), {
      answer: (line, socket) => {
        if (talk.fake.connections === 1) return undefined;
        const isWrong = talk.fake.connections === 2 && line === 'pid';
        return isWrong ? socket.write('SUCCESS: pid=many\r\n') : AS_OPENVPN;
      },
    });
    await once(talk.connect({ answerMs: 50 }), 'ready');
    expect(talk.problems).toEqual([
      expect.stringContaining('does not answer "version" within 0.05 s'),
      expect.stringContaining('it answers "pid" with "SUCCESS: pid=many"'),
    ]);
  });

  it('reports what OpenVPN waits for', async () => {
    const talk = await listen(join(directory, 's'), {
      greet: (socket) =>
        socket.write(
          `${GREETED}>HOLD:Waiting for hold release:10\r\n>PASSWORD:Need 'Private Key' password\r\n` +
            '>CLIENT:CONNECT,0,0\r\n>CLIENT:ENV,common_name=a\r\n>CLIENT:ENV,END\r\n',
        ),
    });
    await once(talk.connect(), 'ready');
    expect(talk.problems).toEqual([
      expect.stringContaining('management-hold'),
      expect.stringContaining('waits for a password'),
      expect.stringContaining('management-client-auth'),
    ]);
    expect(talk.fake.received).toEqual(['version', 'env-filter 0', 'pid']);
    expect(talk.messages).toEqual([]);
  });

  it('connects as soon as OpenVPN makes its socket', async () => {
    // the pause is longer than this test may last
    const backoff = new Backoff(600_000, 600_000);
    const management = new Management({ socket: join(directory, 's') }, { backoff });
    const isMissing = once(management, 'problem');
    management.start();
    await isMissing;
    const talk = await listen(join(directory, 's'));
    talk.management = management;
    await once(management, 'ready');
    expect(talk.fake.received).toEqual(['version', 'env-filter 0', 'pid']);
  });

  it('tries a missing socket less and less often, and reports it once', async () => {
    const problems: string[] = [];
    const backoff = new Backoff(5, 20);
    const waits = vi.spyOn(backoff, 'next');
    const management = new Management({ socket: join(directory, 'none') }, { backoff });
    management.on('problem', (text) => problems.push(text));
    management.start();
    await until('it has tried five times', () => waits.mock.calls.length >= 5);
    management.stop();
    expect(problems).toEqual([expect.stringMatching(/none is not available: there is no such socket/)]);
  });
});
