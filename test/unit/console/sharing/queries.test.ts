import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeOpenvpn } from '../../../support/fake-openvpn.js';
import type { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { directory, joined, share } from './shared-console.js';

describe('queries of many clients', () => {
  it('are forwarded once for all of them', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talkers = await Promise.all(Array.from({ length: 20 }, () => joined()));
    fake.received.length = 0;
    for (const talker of talkers) talker.say('status 3');
    for (const talker of talkers) await talker.hears(/^END$/);
    expect(fake.received.length).toBeLessThanOrEqual(3);
  });

  it('are the same if only their spelling differs', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    await until('it has settled', () => fake.received.length >= 4);
    fake.received.length = 0;
    talker.say('pid\nstatus 3\nstatus " 3"\nstatus 03x\n"status" 3 more\nkill alice');
    await talker.hears(/'alice' found/);
    expect(fake.received).toEqual(['pid', 'status 3', 'kill alice']);
    expect(talker.count(/^END$/)).toBe(4);
  });

  it('are forwarded together if one client sends them ahead, and keep their place between its orders', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    await until('it has settled', () => fake.received.length >= 4);
    fake.received.length = 0;
    talker.say('pid\nstatus 3\nstatus 3\nstatus 3\nkill alice\nstatus 3\nstatus 3\nkill bob');
    await talker.hears(/'bob' found/);
    expect(fake.received).toEqual(['pid', 'status 3', 'kill alice', 'status 3', 'status 3', 'kill bob']);
    expect(talker.lines.filter((line) => /^(?:TITLE|SUCCESS)/.test(line))).toEqual([
      'SUCCESS: pid=4242',
      ...Array.from({ length: 3 }, () => expect.stringMatching(/^TITLE\t\d+$/) as string),
      "SUCCESS: common name 'alice' found, 1 client(s) killed",
      ...Array.from({ length: 2 }, () => expect.stringMatching(/^TITLE\t\d+$/) as string),
      "SUCCESS: common name 'bob' found, 1 client(s) killed",
    ]);
  });

  it('are all answered if a client sends them ahead, also before it exits', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'), { piece: () => 7 });
    await share(fake);
    const talker = await joined();
    talker.socket.end(`${'status 3\npid\n'.repeat(40)}exit\npid\n`);
    await until('it is disconnected', () => talker.ended);
    expect(talker.count(/^END$/)).toBe(40);
    expect(talker.count(/^SUCCESS: pid=4242$/)).toBe(40);
  });
});

describe('status 3 of 2,000 sessions', () => {
  const time = '2026-11-22 12:00:00\t1795348800';
  const sessions = Array.from({ length: 2_000 }, (_, n) => {
    const [real, virtual] = [`198.51.${n >> 8}.${n & 255}:${1024 + n}`, `10.8.${n >> 8}.${n & 255}`];
    return [
      `CLIENT_LIST\tclient-${n}.example.com\t${real}\t${virtual}\t\t${n * 1e6}\t${n * 1e5}\t${time}\tUNDEF\t${n}\t${n}\tAES-256-GCM`,
      `ROUTING_TABLE\t${virtual}\tclient-${n}.example.com\t${real}\t${time}`,
    ];
  });
  const status = ['TITLE\tOpenVPN 2.6.14', `TIME\t${time}`, ...sessions.flat(), 'GLOBAL_STATS\tx\t0', 'END'];

  it('is complete for each client, between messages, while one client does not read', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    fake.status = status;
    await share(fake);
    const talkers = await Promise.all(Array.from({ length: 20 }, () => joined()));
    const [stuck, ...others] = talkers as [Talker, ...Talker[]];
    stuck.socket.pause();
    stuck.say('status 3\nstatus 3');
    for (const talker of others) await talker.ask('log on');
    for (let round = 0; round < 3; round++) {
      for (const talker of others) talker.say('status 3\npid');
      for (let n = 0; n < 100; n++) fake.tell('>LOG:1,I,END');
    }
    for (const talker of others) {
      await until('three answers', () => talker.count(/^SUCCESS: pid=/) === 3);
      const answers = talker.lines.filter((line) => !line.startsWith('>')).slice(1);
      expect(answers).toEqual(Array.from({ length: 3 }, () => [...status, 'SUCCESS: pid=4242']).flat());
    }
    stuck.socket.resume();
    await until('his two as well', () => stuck.count(/^END$/) === 2);
    expect(stuck.lines.slice(1)).toEqual([...status, ...status]);
  });
});

describe('a row that looks like a message', () => {
  it('is a row, whatever the name of the client', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    const management = await share(fake);
    const told: (readonly string[])[] = [];
    management.on('message', (lines) => told.push(lines));
    const talker = await joined();
    fake.socket?.removeAllListeners('data').once('data', () => {
      fake.tell('OpenVPN CLIENT LIST', '>CLIENT:DISCONNECT,3,192.0.2.1:1', '>HOLD:x,192.0.2.1:2', 'END');
    });
    talker.say('status');
    await talker.hears(/^END$/);
    expect(talker.lines.slice(1)).toEqual([
      'OpenVPN CLIENT LIST',
      '>CLIENT:DISCONNECT,3,192.0.2.1:1',
      '>HOLD:x,192.0.2.1:2',
      'END',
    ]);
    expect(told).toEqual([]);
  });
});
