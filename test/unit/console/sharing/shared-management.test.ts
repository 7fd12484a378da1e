import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CLIENT_LIMITS, type ClientLimits } from '../../../../src/console/listen/client-connection.js';
import { Console } from '../../../../src/console/listen/console.js';
import { SharedManagement } from '../../../../src/console/sharing/shared-management.js';
import { UnreadAnswers } from '../../../../src/console/listen/unread.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { Management } from '../../../../src/openvpn/management.js';
import { FakeOpenvpn, GREETING } from '../../../support/fake-openvpn.js';
import { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { Steered } from '../steered.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 120_000 });

let directory: string;
let ends: (() => unknown)[];
let orders: string[];

beforeEach(() => {
  orders = [];
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  ends = [];
});
afterEach(async () => {
  await end();
  rmSync(directory, { recursive: true });
});

async function end(): Promise<void> {
  for (const each of ends.splice(0).reverse()) await each();
}

/** A console before a peer that answers as OpenVPN. */
async function share(
  fake: FakeOpenvpn,
  limits: ClientLimits = CLIENT_LIMITS,
  unread = new UnreadAnswers(),
): Promise<Management> {
  const management = new Management({ socket: join(directory, 'm') }, { backoff: new Backoff(10, 40) });
  const shared = new SharedManagement('office', management);
  shared.on('order', (_client, text) => orders.push(text));
  const console = await Console.open(
    { socket: join(directory, 'console'), mode: 0o600 },
    { daemon: new Steered(join(directory, 'overrides'), []), sharedManagement: () => shared },
    limits,
    unread,
  );
  management.start();
  ends.push(
    () => {
      fake.close();
    },
    () => console.close(),
    () => {
      management.stop();
    },
  );
  await until('it is ready', () => management.ready);
  return management;
}

async function joined(): Promise<Talker> {
  const talker = await Talker.connect(join(directory, 'console'));
  ends.push(() => {
    talker.close();
  });
  await talker.hears(/^>INFO:/);
  return talker;
}

/** A command and what must come for it. */
interface Step {
  readonly say: string;
  readonly expected: readonly RegExp[];
}

const step: fc.Arbitrary<(name: string) => Step> = fc.oneof(
  fc.constant((name: string) => ({ say: `kill ${name}`, expected: [new RegExp(`^SUCCESS: common name '${name}' found`)] })),
  fc.constant(() => ({ say: 'status 3', expected: [/^TITLE\t/, /^END$/] })),
  fc.constant(() => ({ say: 'pid', expected: [/^SUCCESS: pid=4242$/] })),
  fc.constant((name: string) => ({ say: `auth-retry ${name}`, expected: [new RegExp(`^${name} is none`), /^ERROR: bad auth-retry/] })),
  // as 2.4 answers it while it waits for a release, and as 2.7 does
  fc.constant(() => ({ say: 'signal SIGUSR1', expected: [] })),
  fc.constant(() => ({ say: 'push-update-broad x', expected: [/^ERROR: no client updated$/, /^ERROR: push-update command failed$/] })),
  fc.constant(() => ({ say: 'no such thing', expected: [/^ERROR: unknown command/] })),
  fc.constant(() => ({ say: '# nothing', expected: [] })),
  fc.constant(() => ({ say: 'version 3', expected: [] })),
  fc.nat(5).map((count) => () => ({
    say: `test ${count}`,
    expected: Array.from({ length: count }, (_, n) => new RegExp(`^\\[${n}\\] `)),
  })),
  fc.constant(() => ({ say: 'log on all', expected: [/notification set to ON$/, /^1,log history$/, /^END$/] })),
  fc.constant(() => ({ say: 'log off', expected: [/^SUCCESS: real-time log notification set to OFF$/] })),
  fc.constant(() => ({ say: 'state all off', expected: [/^1,state history$/, /^END$/, /state notification set to OFF$/] })),
  fc.constant(() => ({ say: 'bytecount 2', expected: [/^SUCCESS: bytecount interval changed$/] })),
  fc.constant(() => ({ say: 'hold', expected: [/^SUCCESS: hold=0$/] })),
  fc.constant(() => ({ say: 'env-filter 2', expected: [/^SUCCESS: env_filter_level=2$/] })),
  fc.constant(() => ({ say: 'mptcp rules reload', expected: [/^SUCCESS: the rules of the file are in force$/] })),
); // prettier-ignore

const MESSAGES = [
  ['>LOG:1,I,END'],
  ['>STATE:1,CONNECTED,SUCCESS'],
  ['>CLIENT:ESTABLISHED,3', '>CLIENT:ENV,common_name=END', '>CLIENT:ENV,END'],
  ['>BYTECOUNT_CLI:3,1,1'],
];

describe('any interleaving', () => {
  it('gives every client exactly its answers, whole and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ steps: fc.array(step, { maxLength: 12 }), leavesAfter: fc.option(fc.nat(5)) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        fc.infiniteStream(fc.option(fc.constantFrom(...MESSAGES), { freq: 3 })),
        async (clients, pieces, messages) => {
          const fake = await FakeOpenvpn.listen(
            join(directory, 'm'),
            () => pieces.next().value as number,
            () => (messages.next().value as readonly string[] | null) ?? [],
          );
          await share(fake);
          const talkers = await Promise.all(clients.map(() => joined()));
          const expected = clients.map(({ steps }, index) => steps.map((make, n) => make(`c${index}-${n}`)));
          for (const [index, { leavesAfter }] of clients.entries()) {
            const talker = talkers[index] as Talker;
            const lines = (expected[index] ?? []).map(({ say }) => say);
            if (leavesAfter === null) talker.say([...lines, 'kill last'].join('\n'));
            else {
              talker.say(lines.slice(0, leavesAfter).join('\n'));
              talker.close();
            }
          }
          for (const [index, { leavesAfter }] of clients.entries()) {
            if (leavesAfter !== null) continue;
            const talker = talkers[index] as Talker;
            await talker.hears(/common name 'last' found/);
            const answers = talker.lines.filter((line) => !line.startsWith('>') && !line.startsWith('ROW'));
            const patterns = (expected[index] ?? []).flatMap((each) => each.expected);
            expect(answers.slice(0, -1)).toEqual(patterns.map((pattern) => expect.stringMatching(pattern) as string));
            // each row belongs to the status that it stands in
            let serial = '';
            for (const line of talker.lines) {
              const [kind, number = ''] = line.split('\t');
              if (kind === 'TITLE') serial = number;
              if (kind === 'ROW') expect(number).toBe(serial);
            }
          }
          await end();
        },
      ),
      { numRuns: Number(process.env.FC_RUNS ?? 40) },
    );
  }); // prettier-ignore
});

describe('questions that many ask', () => {
  it('are asked once, after all of them', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talkers = await Promise.all(Array.from({ length: 20 }, () => joined()));
    fake.received.length = 0;
    for (const talker of talkers) talker.say('status 3');
    for (const talker of talkers) await talker.hears(/^END$/);
    expect(fake.received.length).toBeLessThanOrEqual(3);
  });

  it('are the same however they are said', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    await until('it has settled', () => fake.received.length >= 3);
    fake.received.length = 0;
    talker.say('pid\nstatus 3\nstatus " 3"\nstatus 03x\n"status" 3 more\nkill alice');
    await talker.hears(/'alice' found/);
    expect(fake.received).toEqual(['pid', 'status 3', 'kill alice']);
    expect(talker.count(/^END$/)).toBe(4);
  });

  it('are asked at once where one client sends them ahead, and what it orders between them stays there', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    await until('it has settled', () => fake.received.length >= 3);
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

  it('leave a client that sends them ahead its answers, those before it hangs up too', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'), () => 7);
    await share(fake);
    const talker = await joined();
    talker.socket.end(`${'status 3\npid\n'.repeat(40)}exit\npid\n`);
    await until('it is hung up on', () => talker.ended);
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

  it('is whole for each who asks, with messages around it, while one does not read his', async () => {
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
  it('is a row, whatever the client calls itself', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    const management = await share(fake);
    const told: (readonly string[])[] = [];
    management.on('notice', (lines) => told.push(lines));
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

describe('a client that does not read', () => {
  it('is cut off with the reason, and costs nobody else anything', async () => {
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
    await until('it is cut off', () => stuck.ended);
    expect(stuck.lines.at(-1)).toBe('ERROR: more than 50000 bytes of real-time messages are unread');
    expect(stuck.count(/^>LOG/)).toBeLessThan(3000);
    expect(await well.ask('pid')).toEqual(['SUCCESS: pid=4242']);
  });
});

describe('answers that nobody reads', () => {
  const large = (of: string) => [
    ...Array.from({ length: 1_000 }, (_, n) => `${of}${n}${'x'.repeat(1_000)}`),
    'END',
  ];

  it('are bounded for one client: what it asks beyond is an error that names the bound', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    const unread = new UnreadAnswers({ ofOne: 3_000_000, ofAll: 1e9 });
    await share(fake, CLIENT_LIMITS, unread);
    const [stuck, other] = await Promise.all([joined(), joined()]);
    // all are asked before the first is answered, and each has another answer
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

  it('are bounded for all: who has read nothing for longest is cut off, and who reads has every answer', async () => {
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
    await until('it is cut off', () => first.ended);
    expect(first.lines.at(-1)).toBe(
      'ERROR: clients have not read 10000000 bytes of answers, and this client has read nothing for the longest time',
    );
    last.socket.resume();
    await until('the last has all', () => last.count(/^END$/) === 3);
  }); // prettier-ignore
});

describe('commands that wait for their answers', () => {
  it('are bounded in bytes as well', async () => {
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

describe('the version of a client that is not the one OpenVPN is to have', () => {
  it.each([
    { version: 'OpenVPN 2.6.14 x86_64-pc-linux-gnu', management: 5, answersVersions: false },
    { version: 'OpenVPN 2.7.0 x86_64-pc-linux-gnu', management: 5, answersVersions: false },
    { version: 'OpenVPN 2.7.1 x86_64-pc-linux-gnu', management: 5, answersVersions: true },
    { version: 'OpenVPN 2.7.2 x86_64-pc-linux-gnu', management: 6, answersVersions: true },
  ])('is answered as $version answers it', async (program) => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'), undefined, undefined, program);
    await share(fake);
    const [newest, other] = await Promise.all([joined(), joined()]);
    const answer = (version: number) =>
      program.answersVersions ? [`SUCCESS: Management client version set to ${version}`] : [];
    // OpenVPN itself answers the first
    expect(await newest.ask('version 5')).toEqual(answer(5));
    expect(await other.ask('version 4')).toEqual(answer(4));
    expect(await other.ask('version 3')).toEqual([]);
    expect(fake.process.version).toBe(5);
  });
});

describe('requests to let clients in that nobody answers', () => {
  it('are bounded in bytes, and whoever claims them is told how many were lost', async () => {
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

describe('what is logged of commands', () => {
  it('are the orders that OpenVPN knows, without what can be secret', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    talker.say(
      ['kill alice', 'Password "Auth" lilies', 'passwrd Auth lilies', 'password "Auth" lilies', 'newer lilies', 'status 3'].join('\n'),
    );
    await talker.ask('pid');
    expect(orders.filter((order) => !order.includes('MARK'))).toEqual(['kill alice', 'newer']);
  }); // prettier-ignore
});

describe('what must not reach OpenVPN', () => {
  it.each([
    ['kill Zoë', /^ERROR: OpenVPN drops every character that is not ASCII/],
    [`kill ${'x '.repeat(600)}`, /^ERROR: the line is longer than 1000 characters/],
    ['test 10001', /^ERROR: OpenVPN does nothing else during test/],
    [`client-auth 1 0\n${'x'.repeat(800)}\nEND`, /^ERROR: a line of client-auth is longer than 750/],
    [`client-auth 1 0\n${'push "x"\n'.repeat(10_000)}END`, /^ERROR: client-auth takes at most 65536 bytes/],
    [
      'client-auth 1 0\npush "setenv OWNER Zoë"\nkill alice\nEND',
      /^ERROR: OpenVPN drops every character that is not ASCII, and would run another command$/,
    ],
    ['"exit"', undefined],
  ])('of kind %#', async (line, answer) => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    await until('it has settled', () => fake.received.length >= 3);
    const before = fake.received.length;
    // a thousand lines may wait
    for (let at = 0; at < line.length; at += 4_000) {
      talker.socket.write(line.slice(at, at + 4_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    talker.say('');
    if (answer) await talker.hears(answer);
    else await until('it is hung up on', () => talker.ended);
    expect(fake.received.slice(before)).toEqual([]);
    // one answer to one command, so that whoever counts them does not lose count
    expect(talker.count(/^(?:ERROR|SUCCESS):/)).toBe(answer ? 1 : 0);
  });

  it('is a number of lines beyond all sense, which is all there are', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    expect((await talker.ask('log 2000000000')).at(-1)).toBe('END');
    expect(fake.received).toContain('log all');
  });
});

describe('an OpenVPN that is not there', () => {
  it('is said so, and greets when it comes', async () => {
    const management = new Management({ socket: join(directory, 'm') }, { backoff: new Backoff(10, 40) });
    const shared = new SharedManagement('office', management);
    const console = await Console.open(
      { socket: join(directory, 'console'), mode: 0o600 },
      { daemon: new Steered(join(directory, 'overrides'), []), sharedManagement: () => shared },
    );
    management.start();
    ends.push(
      () => console.close(),
      () => {
        management.stop();
      },
    );
    const talker = await joined();
    expect(talker.lines).toEqual(['>INFO:OpenVPN office is not connected; you get its greeting when it is']);
    talker.say('status 3\nmptcp rules reload\nbytecount 1\nhold on');
    await until('all are answered', () => talker.lines.length === 5);
    expect(talker.lines.slice(1)).toEqual([
      expect.stringMatching(/^ERROR: OpenVPN office gives no answer: .*there is no such socket/),
      'SUCCESS: the rules of the file are in force',
      expect.stringMatching(/^ERROR: OpenVPN office gives no answer/),
      expect.stringMatching(/^ERROR: OpenVPN office gives no answer/),
    ]);
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    ends.push(() => {
      fake.close();
    });
    await until('it greets', () => talker.lines.at(-1) === GREETING);
  });
});
