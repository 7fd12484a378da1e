import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import { Consoles } from '../../src/console/consoles.js';
import type { Management } from '../../src/openvpn/management/management.js';
import { Servers } from '../../src/openvpn/servers.js';
import { needs } from '../lab/needs.js';
import { sectionOf } from '../support/office.js';
import { LoopbackVpn } from '../support/openvpn.js';
import { Talker } from '../support/talker.js';
import { until } from '../support/until.js';
import { Steered } from '../unit/console/steered.js';

// not timed: each wait has its own bound

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let ends: (() => unknown)[];

beforeEach(async () => {
  vpn = await LoopbackVpn.create();
  ends = [];
});

afterEach(async () => {
  for (const end of ends.reverse()) await end();
  await vpn.destroy();
});

function at(name: string): string {
  return join(vpn.directory, name);
}

/** The consoles before OpenVPN at `m`, which is given up when it does not answer for a second. */
async function open(section: Partial<ServerConfig> = {}): Promise<Management> {
  const servers = new Servers([sectionOf(vpn, section)], { server: { management: { answerMs: 1_000 } } });
  const consoles = new Consoles(
    { socket: at('console'), mode: 0o600, overrides: '' },
    new Steered(at('overrides'), []),
    { onProblem: () => undefined, onOrder: () => undefined },
  );
  await consoles.open(servers.servers());
  servers.start();
  ends.push(
    () => consoles.close(),
    () => {
      servers.stop();
    },
  );
  const management = servers.servers()[0]?.management;
  if (management === undefined) throw new Error('it has no management');
  await until('OpenVPN is there', () => management.isReady, 30_000);
  return management;
}

async function joined(name = 'office.sock'): Promise<Talker> {
  const talker = await Talker.connect(at(name));
  ends.push(() => {
    talker.close();
  });
  await talker.hears(/^(?:>INFO|ERROR)/);
  return talker;
}

function asked(management: Management, text: string): Promise<string> {
  return new Promise((resolve) => {
    management.ask({ text, endings: ['line'] }, (reply) => {
      resolve('parts' in reply ? reply.parts.flat().join() : reply.lost);
    });
  });
}

describe('what a client of the console turned on', () => {
  it('comes back with OpenVPN, also when another client came and went while it was away', async () => {
    const first = await vpn.server({ management: at('m') });
    await open();
    const monitor = await joined();
    await monitor.ask('bytecount 1');
    await monitor.ask('log on');
    await first.kill('SIGKILL');
    await monitor.hears(/^>INFO:OpenVPN office is lost/);
    const passing = await joined();
    passing.close();
    await until('it has left', () => passing.ended);
    await vpn.server({ management: at('m') });
    await until('it greets', () => monitor.count(/^>INFO:OpenVPN Management Interface/) === 2);
    await vpn.client('alice');
    await monitor.hears(/^>BYTECOUNT_CLI:0,/);
    await monitor.hears(/^>LOG:.*alice/);
  });

  it('ends with it, also when it leaves while OpenVPN does not answer', async () => {
    const server = await vpn.server({ management: at('m') });
    const management = await open();
    const [holder, other] = await Promise.all([joined(), joined()]);
    await holder.ask('hold on');
    expect(await asked(management, 'hold')).toBe('SUCCESS: hold=1');
    process.kill(server.pid, 'SIGSTOP');
    other.say('pid');
    await other.hears(/^>INFO:OpenVPN office is lost: it does not answer/);
    holder.close();
    await until('it has left', () => holder.ended);
    process.kill(server.pid, 'SIGCONT');
    await until('OpenVPN is back', () => other.count(/^>INFO:OpenVPN Management Interface/) === 2);
    await until('it holds no more', async () => (await asked(management, 'hold')) === 'SUCCESS: hold=0');
    other.say('signal SIGUSR1');
    await until('it starts', () => server.log().match(/Initialization Sequence Completed/g)?.length === 2);
  });
});

/** `subflowd run` for the OpenVPN at `m`, whose console is at `office.sock`. Resolves when OpenVPN is connected. */
async function startDaemon(): Promise<(signal: NodeJS.Signals) => Promise<void>> {
  const config = at('subflowd.ini');
  writeFileSync(
    config,
    [
      ...['[openvpn office]', `events = ${at('events')}`, `management = ${at('m')}`],
      ...[`password-file = ${vpn.passwordFile}`, `console = ${at('office.sock')}`],
      ...['[path wifi]', 'prefix = 192.168.100.0/24'],
      ...['[console]', `socket = ${at('console')}`, `overrides = ${at('overrides')}`, ''],
    ].join('\n'),
  );
  const main = resolve(import.meta.dirname, '../../dist/src/main.js');
  const child = spawn(process.execPath, [main, 'run', '-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  };
  ends.push(() => end('SIGKILL'));
  await until('the daemon serves', () => log.includes('"event":"ready"')).catch(() => {
    throw new Error(`the daemon does not serve: ${log}`);
  });
  const client = await joined();
  await client.hears(/^>INFO:OpenVPN Management Interface/);
  client.close();
  return end;
}

/** OpenVPN's own answer, on a direct connection. */
async function askDirectly(command: string): Promise<string> {
  const direct = await Talker.connect(at('m'));
  direct.say('sesame and lilies');
  await direct.hears(/^>INFO:/);
  direct.say(command);
  const answer = await direct.hears(/^SUCCESS: hold/);
  direct.close();
  return answer;
}

describe('the hold flag of a client, while subflowd ends', () => {
  needs('mptcp');

  it('stays in OpenVPN when subflowd is killed, until a client of the next one sends hold off', async () => {
    await vpn.server({ management: at('m') });
    const kill = await startDaemon();
    const holder = await joined();
    await holder.ask('hold on');
    expect(await holder.ask('hold')).toEqual(['SUCCESS: hold=1']);
    await kill('SIGKILL');
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=1');
    const killAgain = await startDaemon();
    const client = await joined();
    expect(await client.ask('hold')).toEqual(['SUCCESS: hold=1']);
    expect(await client.ask('hold off')).toEqual(['SUCCESS: hold flag set to OFF']);
    expect(await client.ask('hold')).toEqual(['SUCCESS: hold=0']);
    await killAgain('SIGKILL');
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=0');
  });

  it('ends when subflowd is stopped, and OpenVPN no longer waits for the client', async () => {
    const server = await vpn.server({ management: at('m') });
    const stop = await startDaemon();
    const holder = await joined();
    await holder.ask('hold on');
    holder.say('signal SIGUSR1');
    await holder.hears(/^>HOLD:Waiting for hold release/);
    await stop('SIGTERM');
    await until('it starts', () => server.log().match(/Initialization Sequence Completed/g)?.length === 2);
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=0');
  });
});

describe('a console that is to hang up while OpenVPN is away', () => {
  it('does so, refuses who comes meanwhile, and serves again when it is back; that of subflowd stays', async () => {
    const first = await vpn.server({ management: at('m') });
    await open({ console: { socket: at('office.sock'), hangsUp: true } });
    const [monitor, own] = await Promise.all([joined(), joined('console')]);
    expect(await monitor.ask('pid')).toEqual([`SUCCESS: pid=${first.pid}`]);
    await first.kill('SIGKILL');
    await until('it is hung up on', () => monitor.ended);
    expect(monitor.lines.at(-1)).toMatch(/^>INFO:OpenVPN office is lost: /);
    const early = await joined();
    await until('it is hung up on', () => early.ended);
    expect(early.lines).toEqual(['ERROR: OpenVPN office is not connected']);
    await own.hears(/^>INFO:OpenVPN office is lost: .*; you get its greeting when it is back/);
    own.say('mptcp rules reload');
    await own.hears(/^SUCCESS: the rules of the file are in force/);
    const second = await vpn.server({ management: at('m') });
    await until('it greets', () => own.count(/^>INFO:OpenVPN Management Interface/) === 2);
    expect(await (await joined()).ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
  }); // prettier-ignore
});
