import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Answer } from '../../../../src/console/common/answer.js';
import type { ConsoleClient } from '../../../../src/console/sharing/console-client.js';
import { MAX_UNANSWERED } from '../../../../src/console/sharing/settings.js';
import { SharedManagement } from '../../../../src/console/sharing/shared-management.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { MAX_WAITING, type Reply } from '../../../../src/openvpn/management/exchanges.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import { FakeOpenvpn } from '../../../support/fake-openvpn.js';
import { until } from '../../../support/until.js';

// each wait has its own time limit
vi.setConfig({ testTimeout: 300_000 });

let directory: string;
let fake: FakeOpenvpn;
let management: Management;
let shared: SharedManagement;
/** The process that subflowd knows; undefined while it is not connected. */
let knownPid: number | undefined;
/** OpenVPN's own hold flag; undefined after a `hold off` without an answer: it may have been run. */
let own: boolean | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
});
afterEach(() => {
  close();
  rmSync(directory, { recursive: true });
});

async function open(): Promise<void> {
  const socket = join(directory, 'm');
  rmSync(socket, { force: true });
  fake = await FakeOpenvpn.listen(socket);
  own = false;
  await startSubflowd();
}

/** Starts what subflowd has for one OpenVPN. */
async function startSubflowd(): Promise<void> {
  management = new Management({ socket: join(directory, 'm') }, { backoff: new Backoff(1, 2) });
  shared = new SharedManagement('office', management);
  knownPid = undefined;
  management.on('ready', ({ pid }) => (knownPid = pid)).on('lost', () => (knownPid = undefined));
  management.start();
  await until('it is ready', () => management.isReady);
}

/** Ends subflowd without its last commands. OpenVPN still runs what it was sent before. */
async function killSubflowd(): Promise<void> {
  management.finalCommands = () => [];
  await stopSubflowd();
}

async function stopSubflowd(): Promise<void> {
  const { socket } = fake;
  management.stop();
  if (socket !== undefined) await until('OpenVPN has noticed', () => socket.closed);
}

/** A new process of OpenVPN. @param hold its flag, which its config has set. */
function startProcess(hold: boolean): void {
  fake.process = { pid: fake.process.pid + 1, hold, version: 1 };
  own = hold;
}

async function restartOpenvpn(hold: boolean): Promise<void> {
  fake.leave();
  await until('it is lost', () => !management.isReady);
  startProcess(hold);
  fake.away = false;
  await settled();
}

function close(): void {
  management.stop();
  fake.close();
}

/** A console client, with the settings that the answers have confirmed. */
class Client {
  readonly heard: string[] = [];
  readonly has = { log: false, echo: false, state: false, bytecount: 0, hold: false, version: 0 };
  readonly client: ConsoleClient;
  #saying: Promise<void> = Promise.resolve();

  constructor() {
    this.client = shared.join((lines) => this.heard.push(...lines));
  }

  /** Sends a line when all before are answered, as a console does. */
  say(line: string): Promise<void> {
    const [command = '', parameter = ''] = line.split(' ');
    this.#saying = this.#saying.then(async () => {
      const { lines } = await new Promise<Answer>((respond) => shared.run(this.client, line, respond));
      const isError = lines.some((each) => each.startsWith('ERROR'));
      // an answer can belong to a process that has ended
      if (line === 'hold off' && own !== false && (isError || knownPid === fake.process.pid))
        own = isError ? undefined : false;
      if (isError) return;
      const value = /^\d/.test(parameter) ? Number(parameter) : parameter === 'on';
      Object.assign(this.has, { [command]: value });
    });
    return this.#saying;
  }

  get silence(): Promise<void> {
    return this.#saying;
  }
}

async function answer({ client }: Client, line: string): Promise<readonly string[]> {
  return (await new Promise<Answer>((respond) => shared.run(client, line, respond))).lines;
}

/** Resolves when OpenVPN has answered everything. */
async function settled(): Promise<void> {
  // an answer can cause one more command
  for (let answers = 0; answers < 3;) {
    await until('it is ready', () => management.isReady);
    const reply = await new Promise<Reply>((done) => {
      management.ask({ text: 'pid', endings: ['line'] }, done);
    });
    // a lost connection is noticed late
    answers = 'parts' in reply ? answers + 1 : 0;
  }
}

function expected(clients: ReadonlySet<Client>): object {
  const isWanted = [...clients].some(({ has }) => has.hold);
  if (!isWanted) own ??= fake.process.hold;
  const all = [...clients].map(({ has }) => has);
  return {
    log: all.some(({ log }) => log),
    echo: all.some(({ echo }) => echo),
    state: all.some(({ state }) => state),
    bytecount: all.reduce((least, { bytecount: n }) => (n > 0 && (least === 0 || n < least) ? n : least), 0),
    hold: isWanted || own === true,
    version:
      clients.size === 0
        ? (expect.any(Number) as unknown)
        : Math.max(1, ...all.map(({ version }) => version)),
  };
}

function actual(): object {
  const { hold, version } = fake.process;
  return { ...fake.kept, hold, version };
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ does: fc.constant('join' as const) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('leave' as const), who: fc.nat(9) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('say' as const),
      who: fc.nat(9),
      line: fc.constantFrom(
        ...['log on', 'log off', 'echo on', 'echo off', 'state on', 'state off', 'hold on', 'hold off'],
        ...['bytecount 1', 'bytecount 3', 'bytecount 0', 'version 1', 'version 2', 'version 3'],
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constantFrom('hang up' as const, 'return' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constantFrom('look' as const, 'stop' as const, 'kill' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('restart' as const), holds: fc.boolean() }) },
);

describe('the settings of OpenVPN', () => {
  it('are always what all clients together need, after any joins, leaves, lost connections and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        await open();
        const clients = new Set<Client>();
        const look = async () => {
          fake.away = false;
          await Promise.all([...clients].map(({ silence }) => silence));
          await settled();
          await Promise.all([...clients].map(({ silence }) => silence));
          expect(actual()).toEqual(expected(clients));
        };
        for (const each of steps) {
          const client = 'who' in each ? [...clients][each.who % Math.max(1, clients.size)] : undefined;
          if (each.does === 'join') clients.add(new Client());
          else if (each.does === 'say') void client?.say(each.line);
          else if (each.does === 'leave' && client) {
            clients.delete(client);
            shared.leave(client.client);
          } else if (each.does === 'hang up') fake.leave();
          else if (each.does === 'return') fake.away = false;
          else if (each.does === 'restart') {
            fake.leave();
            startProcess(each.holds);
            fake.away = false;
          } else if (each.does === 'look') await look();
          else if (each.does === 'stop') {
            await look();
            await stopSubflowd();
            // after a lost answer, a client can have turned a flag on that was on
            own ??= fake.process.hold;
            expect(fake.process.hold).toBe(own);
            clients.clear();
            await startSubflowd();
          } else if (each.does === 'kill') {
            await killSubflowd();
            clients.clear();
            fake.away = false;
            own = fake.process.hold;
            await startSubflowd();
          }
          await new Promise((resolve) => setImmediate(resolve));
        }
        await look();
        close();
      }),
      { numRuns: Number(process.env.FC_RUNS ?? 100) },
    );
  }); // prettier-ignore

  it('follow many changes of a client with a few commands', async () => {
    await open();
    const [one, other] = [new Client(), new Client()];
    await other.say('version 3');
    await settled();
    fake.isHeld = true;
    const before = fake.received.length;
    for (let turn = 0; turn < 10_000; turn++) {
      shared.run(one.client, 'hold on', () => undefined);
      shared.claim(one.client, 'questions');
      shared.run(one.client, 'hold off', () => undefined);
      shared.release(one.client, 'questions');
    }
    shared.run(one.client, 'hold on', () => undefined);
    fake.isHeld = false;
    await settled();
    expect(actual()).toMatchObject({ hold: true, version: 3 });
    // this also counts the `pid` after each `version`, which marks the end of its answer
    expect(fake.received.length - before).toBeLessThan(3 * MAX_UNANSWERED);
  });

  it('do not change if too many commands wait for OpenVPN', async () => {
    await open();
    const [one, other] = [new Client(), new Client()];
    await one.say('bytecount 3');
    await other.say('bytecount 5');
    await settled();
    fake.isHeld = true;
    for (let count = 0; count < MAX_WAITING; count++)
      management.ask({ text: `kill ${count}`, endings: ['line'] }, () => undefined);
    const refused = /^ERROR: .* 2500 commands already wait for OpenVPN$/;
    for (const line of ['bytecount 5', 'log on', 'version 3']) {
      const { lines } = await new Promise<Answer>((respond) => shared.run(one.client, line, respond));
      expect(lines[0]).toMatch(refused);
    }
    expect(actual()).toMatchObject({ bytecount: 3, log: false, version: 1 });
    shared.leave(one.client);
    fake.isHeld = false;
    await until('all is done', () => fake.received.at(-1) === 'bytecount 5');
    await settled();
    expect(actual()).toMatchObject({ bytecount: 5, log: false, version: 1 });
  });

  it('are restored when OpenVPN is back, after another client joined and left', async () => {
    await open();
    const first = new Client();
    for (const line of ['bytecount 1', 'log on', 'version 3']) await first.say(line);
    fake.leave();
    await until('it is lost', () => first.heard.some((line) => line.includes('is lost')));
    const passing = new Client();
    shared.leave(passing.client);
    fake.process = { pid: 4243, hold: false, version: 1 };
    fake.away = false;
    await settled();
    expect(actual()).toEqual({ log: true, echo: false, state: false, bytecount: 1, hold: false, version: 3 });
  });

  it('lose the hold flag of a client that left while the connection was lost', async () => {
    await open();
    const holder = new Client();
    await holder.say('hold on');
    await settled();
    expect(fake.process.hold).toBe(true);
    fake.leave();
    await until('it is lost', () => holder.heard.some((line) => line.includes('is lost')));
    shared.leave(holder.client);
    fake.away = false;
    await settled();
    expect(fake.process.hold).toBe(false);
  });

  it('lose the hold flag of a client, and the wait, when subflowd stops', async () => {
    await open();
    const holder = new Client();
    await holder.say('hold on');
    fake.tell('>HOLD:Waiting for hold release:0');
    await settled();
    // an unanswered command does not delay this
    void holder.say('nonsense');
    management.stop();
    await until('it is sent', () => fake.received.includes('hold release'));
    expect(fake.process.hold).toBe(false);
  });

  it("keep the hold flag of OpenVPN's own config when a client leaves that wanted it too", async () => {
    await open();
    const holder = new Client();
    await restartOpenvpn(true);
    await holder.say('hold on');
    shared.leave(holder.client);
    await settled();
    expect(fake.process.hold).toBe(true);
    // and again with a new process of the same PID
    fake.leave();
    fake.away = false;
    await settled();
    expect(fake.process.hold).toBe(true);
  });
});

describe('`hold off`', () => {
  it('turns off the flag that a client of a killed subflowd has left', async () => {
    await open();
    await new Client().say('hold on');
    await settled();
    await killSubflowd();
    expect(fake.process.hold).toBe(true);
    await startSubflowd();
    const client = new Client();
    expect(await answer(client, 'hold')).toEqual(['SUCCESS: hold=1']);
    expect(await answer(client, 'hold off')).toEqual(['SUCCESS: hold flag set to OFF']);
    expect(fake.received.at(-1)).toBe('hold off');
    expect(fake.process.hold).toBe(false);
    expect(await answer(client, 'hold')).toEqual(['SUCCESS: hold=0']);
  });

  it("turns off the flag of OpenVPN's own config, when no other client wants it any more", async () => {
    await open();
    await restartOpenvpn(true);
    const [holder, other] = [new Client(), new Client()];
    await holder.say('hold on');
    expect(await answer(other, 'hold off')).toEqual(['SUCCESS: hold flag set to OFF']);
    expect(await answer(other, 'hold')).toEqual(['SUCCESS: hold=0']);
    await settled();
    expect(fake.process.hold).toBe(true);
    shared.leave(holder.client);
    await settled();
    expect(fake.process.hold).toBe(false);
  });

  it('is answered with an error if the connection is lost, and changes nothing then', async () => {
    await open();
    const client = new Client();
    await client.say('hold on');
    await settled();
    fake.isHeld = true;
    const answered = answer(client, 'hold off');
    await until('it is sent', () => fake.received.at(-1) === 'hold off');
    fake.leave();
    expect(await answered).toEqual([expect.stringMatching(/^ERROR: OpenVPN office gives no answer: /)]);
    fake.process.hold = false;
    fake.isHeld = false;
    fake.away = false;
    await settled();
    expect(fake.process.hold).toBe(true);
  });

  it('does not end the wait of an OpenVPN that holds by itself', async () => {
    await open();
    await restartOpenvpn(true);
    const client = new Client();
    fake.tell('>HOLD:Waiting for hold release:0');
    await client.say('hold off');
    await settled();
    expect(fake.process.hold).toBe(false);
    expect(fake.received).not.toContain('hold release');
    // a client that joins now can still end it
    const late = new Client();
    expect(late.heard).toContain('>HOLD:Waiting for hold release:0');
    await late.say('hold release');
    expect(fake.received.at(-1)).toBe('hold release');
  });

  it('waits until OpenVPN has reported its flag', async () => {
    await open();
    fake.leave();
    await until('it is lost', () => !management.isReady);
    fake.isHeld = true;
    startProcess(true);
    fake.away = false;
    await until('it is back', () => management.greeting !== undefined);
    const client = new Client();
    const answered = answer(client, 'hold');
    fake.isHeld = false;
    expect(await answered).toEqual(['SUCCESS: hold=1']);
  });
});

describe('the version', () => {
  it('that a killed subflowd has left is not that of a later client', async () => {
    await open();
    await new Client().say('version 3');
    await killSubflowd();
    await startSubflowd();
    await settled();
    expect(fake.process.version).toBe(3);
    const first = new Client();
    await settled();
    expect(fake.process.version).toBe(1);
    const before = fake.received.length;
    shared.leave(first.client);
    shared.leave(new Client().client);
    await settled();
    expect(fake.received.slice(before).filter((line) => line.startsWith('version'))).toEqual([]);
  });
});

describe('an OpenVPN whose own config makes it hold', () => {
  const WAITS = '>HOLD:Waiting for hold release:0';
  const waits = ({ heard }: Client) => heard.filter((line) => line === WAITS);

  /** A new process, which begins to wait before it can be asked for its hold flag. */
  async function startsWaiting(): Promise<void> {
    fake.leave();
    await until('it is lost', () => !management.isReady);
    fake.isHeld = true;
    fake.process = { pid: 4243, hold: true, version: 1 };
    fake.away = false;
    await until('it is back', () => management.greeting !== undefined);
    const heard = once(management, 'message');
    fake.tell(WAITS);
    await heard;
  }

  it('notifies each client once, also those that joined before it started', async () => {
    await open();
    const first = new Client();
    await startsWaiting();
    const second = new Client();
    fake.isHeld = false;
    await settled();
    const third = new Client();
    expect([first, second, third].map((client) => waits(client))).toEqual([[WAITS], [WAITS], [WAITS]]);
  });

  it('is not released by a client that leaves before OpenVPN reports its flag', async () => {
    await open();
    const client = new Client();
    await startsWaiting();
    shared.leave(client.client);
    fake.isHeld = false;
    await settled();
    expect(fake.received).not.toContain('hold release');
  });
});

describe('a request to admit a client', () => {
  const connect = (cid: number) => [
    `>CLIENT:CONNECT,${cid},0`,
    '>CLIENT:ENV,password=lilies',
    '>CLIENT:ENV,END',
  ];
  const asked = ({ heard }: Client) => heard.filter((line) => line.startsWith('>CLIENT:CONNECT'));

  it('waits for a claim of auth, also across a lost connection to the same process', async () => {
    await open();
    fake.tell(...connect(7));
    await settled();
    fake.leave();
    await until('it is lost', () => !management.isReady);
    fake.away = false;
    await settled();
    const gate = new Client();
    shared.claim(gate.client, 'auth');
    expect(asked(gate)).toEqual(['>CLIENT:CONNECT,7,0']);
  });

  it('is no problem any more when a client claims auth', async () => {
    await open();
    const problems = new Set<string | undefined>();
    management.on('problem', (_, key) => problems.add(key)).on('resolved', (key) => problems.delete(key));
    fake.tell(...connect(7));
    await settled();
    expect([...problems]).toEqual(['auth']);
    // the client leaves before it is admitted
    fake.tell('>CLIENT:DISCONNECT,7', '>CLIENT:ENV,END');
    await settled();
    shared.claim(new Client().client, 'auth');
    expect([...problems]).toEqual([]);
  });

  it('is dropped when OpenVPN is a new process', async () => {
    await open();
    fake.tell(...connect(7));
    await settled();
    fake.leave();
    await until('it is lost', () => !management.isReady);
    fake.process = { pid: 4243, hold: false, version: 1 };
    fake.away = false;
    await until('it is back', () => management.greeting !== undefined);
    fake.tell(...connect(1));
    await settled();
    const gate = new Client();
    shared.claim(gate.client, 'auth');
    expect(asked(gate)).toEqual(['>CLIENT:CONNECT,1,0']);
  }); // prettier-ignore
});
