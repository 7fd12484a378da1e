import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CLIENT_LIMITS } from '../../../../src/console/listen/client-connection.js';
import { UnreadAnswers } from '../../../../src/console/listen/unread.js';
import { FakeOpenvpn } from '../../../support/fake-openvpn.js';
import type { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { directory, joined, share } from './shared-console.js';

describe('a client that does not read messages', () => {
  it('is disconnected with the reason, without an effect on others', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake, { ...CLIENT_LIMITS, unreadBytes: 50_000, leaveMs: 3_000 });
    const [stuck, well] = await Promise.all([joined(), joined()]);
    for (const talker of [stuck, well]) await talker.ask('log on');
    stuck.socket.pause();
    const line = `>LOG:1,I,${'x'.repeat(1000)}`;
    for (let n = 0; n < 3000; n += 10) {
      fake.tell(...Array.from({ length: 10 }, () => line));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('the other has all', () => well.count(/^>LOG/) === 3000);
    stuck.socket.resume();
    await until('it is disconnected', () => stuck.ended);
    expect(stuck.lines.at(-1)).toBe('ERROR: more than 50000 bytes of real-time messages are unread');
    expect(stuck.count(/^>LOG/)).toBeLessThan(3000);
    expect(await well.ask('pid')).toEqual(['SUCCESS: pid=4242']);
  });
});

describe('unread answers', () => {
  const large = (of: string) => [
    ...Array.from({ length: 1_000 }, (_, n) => `${of}${n}${'x'.repeat(1_000)}`),
    'END',
  ];

  it('are limited for one client: a query beyond the limit gets an error', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    const unread = new UnreadAnswers({ ofOne: 3_000_000, ofAll: 1e9 });
    await share(fake, CLIENT_LIMITS, unread);
    const [stuck, other] = await Promise.all([joined(), joined()]);
    // all are sent before the first is answered, and each has another answer
    fake.status = undefined;
    fake.answers = large;
    fake.isHeld = true;
    stuck.socket.pause();
    stuck.say(Array.from({ length: 10 }, (_, n) => `status ${n}`).join('\n'));
    await until('they are asked', () => fake.received.some((line) => line.startsWith('status')));
    fake.isHeld = false;
    await until('all are answered', () => fake.received.includes('status 9'));
    expect(await other.ask('pid')).toEqual(['SUCCESS: pid=4242']);
    expect(unread.bytes).toBeLessThanOrEqual(3_000_000);
    stuck.socket.resume();
    await until('an answer to each', () => stuck.count(/^(?:END|ERROR: .*)$/) === 10);
    expect(stuck.count(/^ERROR: at most 3000000 bytes of answers are kept for a client that does not read them$/)).toBe(8);
    expect(await stuck.ask('status 3')).toHaveLength(1_001);
    await until('nothing is kept', () => unread.bytes === 0);
  }); // prettier-ignore

  it('are limited for all: the client that has read nothing for the longest time is disconnected', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    const unread = new UnreadAnswers({ ofOne: 1e9, ofAll: 10_000_000 });
    await share(fake, { ...CLIENT_LIMITS, leaveMs: 60_000 }, unread);
    const stuck = await Promise.all(Array.from({ length: 20 }, () => joined()));
    const reader = await joined();
    fake.answers = large;
    let most = 0;
    for (const talker of stuck) {
      talker.socket.pause();
      talker.say('status 1\nstatus 2\nstatus 3');
      const answered = fake.received.length;
      await until('it is answered', () => fake.received.length > answered);
      expect(await reader.ask('status 3')).toHaveLength(1_001);
      most = Math.max(most, unread.bytes);
    }
    expect(most).toBeLessThanOrEqual(10_000_000);
    const [first, last] = [stuck[0], stuck.at(-1)] as [Talker, Talker];
    first.socket.resume();
    await until('it is disconnected', () => first.ended);
    expect(first.lines.at(-1)).toBe(
      'ERROR: clients have not read 10000000 bytes of answers, and this client has read nothing for the longest time',
    );
    last.socket.resume();
    await until('the last has all', () => last.count(/^END$/) === 3);
  }); // prettier-ignore
});

describe('commands that wait for their answers', () => {
  it('are limited in bytes, too', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const [greedy, other] = await Promise.all([joined(), joined()]);
    fake.isHeld = true;
    greedy.say(`pid\n${`kill ${'x'.repeat(900)}\n`.repeat(300)}`);
    fake.isHeld = false;
    await greedy.hears(/^ERROR: more than 262144 bytes of commands wait for their answers$/);
    expect(await other.ask('pid')).toEqual(['SUCCESS: pid=4242']);
  });
});

describe('requests to admit clients that nobody answers', () => {
  it('are limited in bytes, and the client that claims them learns how many were dropped', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const gate = await joined();
    const environment = Array.from({ length: 100 }, (_, n) => `>CLIENT:ENV,UV_${n}=${'x'.repeat(1_000)}`);
    for (let cid = 0; cid < 300; cid++) fake.tell(`>CLIENT:CONNECT,${cid},0`, ...environment, '>CLIENT:ENV,END');
    await gate.ask('pid');
    gate.say('mptcp claim auth');
    const [, lost = ''] = /^>INFO:(\d+) requests/.exec(await gate.hears(/^>INFO:\d+ requests of OpenVPN were dropped: at most 1000 of 16777216 bytes wait/)) ?? [];
    expect(Number(lost)).toBeGreaterThan(100);
  }); // prettier-ignore
});
