import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { AS_OPENVPN } from '../../../support/fake-openvpn.js';
import { until } from '../../../support/until.js';
import { directory, GREETED, listen } from './management-peer.js';

describe('the management client', () => {
  it.each(['unix', 'tcp'])('reads the process and the status over a %s socket', async (kind) => {
    const talk = await listen(kind === 'tcp' ? 0 : join(directory, 's'));
    const management = talk.connect();
    const [info] = (await once(management, 'ready')) as unknown[];
    const listener = kind === 'unix' ? { listenerPid: process.pid } : {};
    expect(info).toEqual({ pid: 4242, version: 'OpenVPN 2.6.14', ...listener });
    management.requestStatus();
    management.requestStatus();
    await until('a status', () => talk.statuses.length === 1);
    expect(talk.statuses).toEqual([['TITLE\tOpenVPN 2.6.14', 'GLOBAL_STATS\tdco_enabled\t0']]);
    expect(talk.fake.received).toEqual(['version', 'env-filter 0', 'pid', 'status 3']);
    expect(talk.problems).toEqual([]);
  });

  it('connects to this host at the unspecified address', async () => {
    const talk = await listen(0);
    await once(talk.connect({}, '0.0.0.0'), 'ready');
    expect(talk.problems).toEqual([]);
  });

  it('reads text that arrives byte by byte', async () => {
    // the answers after the questions, which follow the greeting at once
    const bytes = Buffer.from(
      `${GREETED}>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,common_name=Zoë\r\n>CLIENT:ENV,END\r\n` +
        `OpenVPN Version: OpenVPN 2.6.14\r\nManagement Version: 5\r\nEND\r\n` +
        `SUCCESS: env_filter_level=0\r\nSUCCESS: pid=4242\r\n`,
    );
    const talk = await listen(join(directory, 's'), {
      greet: async (socket) => {
        for (const byte of bytes) await new Promise((done) => socket.write(Buffer.of(byte), done));
      },
      answer: () => undefined,
    });
    await once(talk.connect(), 'ready');
    expect(talk.messages).toMatchObject([{ type: 'ESTABLISHED', cid: 7 }]);
    expect(talk.messages[0]?.fields.get('common_name')).toBe('Zoë');
  });

  it('reads real-time messages in the middle of an answer, and keeps only the variables that it needs', async () => {
    const talk = await listen(join(directory, 's'), {
      answer: (line, socket) =>
        line !== 'status 3'
          ? AS_OPENVPN
          : socket.write(
              'TITLE\tx\r\n>CLIENT:DISCONNECT,3\r\n>CLIENT:ENV,common_name=a=b "c"\r\n>CLIENT:ENV,X509_0_CN=a\r\n' +
                '>CLIENT:ENV,END\r\n>LOG:1,I,END\r\n>CLIENT:ADDRESS,3,10.8.0.2,1\r\nTIME\ty\r\nEND\r\n',
            ),
    });
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
    const talk = await listen(join(directory, 's'), {
      greet: (socket) => socket.write('ENTER PASSWORD:'),
      answer: (line, socket) =>
        line === 'open sesame' ? socket.write(`SUCCESS: password is correct\r\n${GREETED}`) : AS_OPENVPN,
    });
    await once(talk.connect({ passwordFile }), 'ready');
    expect(talk.fake.received).toEqual(['open sesame', 'version', 'env-filter 0', 'pid']);
  });

  it('discards an unfinished line when the peer disconnects, and connects again', async () => {
    const talk = await listen(join(directory, 's'), {
      greet: (socket, count) =>
        count === 1
          ? socket.end(`${GREETED}>CLIENT:ESTABLISHED,1\r\n>CLIENT:ENV,common_name=ali`)
          : socket.write(GREETED),
      answer: () => (talk.fake.connections > 1 ? AS_OPENVPN : undefined),
    });
    await once(talk.connect(), 'ready');
    expect(talk.fake.connections).toBe(2);
    expect(talk.problems).toEqual([
      expect.stringContaining('it closed the connection in the middle of a line'),
    ]);
    talk.fake.socket?.write('ce\r\n>CLIENT:ENV,END\r\n>CLIENT:DISCONNECT,9\r\n>CLIENT:ENV,END\r\n');
    await until('a message', () => talk.messages.length > 0);
    expect(talk.messages).toMatchObject([{ type: 'DISCONNECT', cid: 9 }]);
  });

  it('closes its connection when it is stopped', async () => {
    const talk = await listen(join(directory, 's'));
    const management = talk.connect();
    await once(management, 'ready');
    management.requestStatus();
    management.stop();
    await until(
      'the peer sees it',
      () => talk.fake.socket?.destroyed === true || talk.fake.socket?.readableEnded === true,
    );
    // no event shows that it does not connect again
    await sleep(100);
    expect(talk.fake.connections).toBe(1);
    expect(talk.statuses).toEqual([]);
    expect(talk.problems).toEqual([]);
  });
});
