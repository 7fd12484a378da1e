import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Console } from '../../../../src/console/listen/console.js';
import { SharedManagement } from '../../../../src/console/sharing/shared-management.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { FakeOpenvpn, GREETING } from '../../../support/fake-openvpn.js';
import type { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { Steered } from '../steered.js';
import { directory, end, ends, joined, orders, share } from './shared-console.js';

/** A command and the lines of its answer. */
interface Step {
  readonly say: string;
  readonly expected: readonly RegExp[];
}

const step: fc.Arbitrary<(name: string) => Step> = fc.oneof(
  fc.constant((name: string) => ({ say: `kill ${name}`, expected: [new RegExp(`^SUCCESS: common name '${name}' found`)] })),
  fc.constant(() => ({ say: 'status 3', expected: [/^TITLE\t/, /^END$/] })),
  fc.constant(() => ({ say: 'pid', expected: [/^SUCCESS: pid=4242$/] })),
  fc.constant((name: string) => ({ say: `auth-retry ${name}`, expected: [new RegExp(`^${name} is none`), /^ERROR: bad auth-retry/] })),
  // as OpenVPN 2.4 answers it during a hold, and as OpenVPN 2.7 does
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
  it('gives every client exactly its answers, complete and in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ steps: fc.array(step, { maxLength: 12 }), leavesAfter: fc.option(fc.nat(5)) }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        fc.infiniteStream(fc.option(fc.constantFrom(...MESSAGES), { freq: 3 })),
        async (clients, pieces, messages) => {
          const fake = await FakeOpenvpn.listen(join(directory, 'm'), {
            piece: () => pieces.next().value as number,
            messages: () => (messages.next().value as readonly string[] | null) ?? [],
          });
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
            // each row belongs to its own status
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

describe('a version that OpenVPN is not sent', () => {
  it.each([
    { version: 'OpenVPN 2.6.14 x86_64-pc-linux-gnu', management: 5, answersVersions: false },
    { version: 'OpenVPN 2.7.0 x86_64-pc-linux-gnu', management: 5, answersVersions: false },
    { version: 'OpenVPN 2.7.1 x86_64-pc-linux-gnu', management: 5, answersVersions: true },
    { version: 'OpenVPN 2.7.2 x86_64-pc-linux-gnu', management: 6, answersVersions: true },
  ])('is answered as $version answers it', async (program) => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'), { program });
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

describe('commands that are logged', () => {
  it('are the orders that OpenVPN knows, without their secrets', async () => {
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

describe('what is not sent to OpenVPN', () => {
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
    // in parts, because only a thousand lines may wait
    for (let at = 0; at < line.length; at += 4_000) {
      talker.socket.write(line.slice(at, at + 4_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    talker.say('');
    if (answer) await talker.hears(answer);
    else await until('it is disconnected', () => talker.ended);
    expect(fake.received.slice(before)).toEqual([]);
    // exactly one answer for one command
    expect(talker.count(/^(?:ERROR|SUCCESS):/)).toBe(answer ? 1 : 0);
  });

  it('is a very large number of lines, which becomes all', async () => {
    const fake = await FakeOpenvpn.listen(join(directory, 'm'));
    await share(fake);
    const talker = await joined();
    expect((await talker.ask('log 2000000000')).at(-1)).toBe('END');
    expect(fake.received).toContain('log all');
  });
});

describe('an OpenVPN that is not connected', () => {
  it('is reported, and its greeting follows when it connects', async () => {
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
