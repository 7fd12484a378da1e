import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ServerConfig } from '../../src/config/config.js';
import type { Management } from '../../src/openvpn/management/management.js';
import { needs } from '../lab/needs.js';
import { Office } from '../support/office.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import { Talker } from '../support/talker.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let office: Office;

beforeEach(async () => {
  vpn = await vpnForTest();
});

/** Opens the consoles before OpenVPN at `m`. An OpenVPN that does not answer for a second counts as lost. */
async function openOffice(section: Partial<ServerConfig> = {}): Promise<Office> {
  return (office = await Office.open(vpn, [section], { answerMs: 1_000 }));
}

function asked(management: Management, text: string): Promise<string> {
  return new Promise((resolve) => {
    management.ask({ text, endings: ['line'] }, (reply) => {
      resolve('parts' in reply ? reply.parts.flat().join() : reply.lost);
    });
  });
}

describe('a setting of a console client', () => {
  it('is in force again after OpenVPN is back, although another client joined and left meanwhile', async () => {
    const first = await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const monitor = await office.join();
    await monitor.ask('bytecount 1');
    await monitor.ask('log on');
    await first.kill('SIGKILL');
    await monitor.hears(/^>INFO:OpenVPN office is lost/);
    const passing = await office.join();
    passing.close();
    await until('the other client has left', () => passing.ended);
    await vpn.server({ management: vpn.at('m') });
    await until('OpenVPN is back', () => monitor.count(/^>INFO:OpenVPN Management Interface/) === 2);
    await vpn.client('alice');
    await monitor.hears(/^>BYTECOUNT_CLI:0,/);
    await monitor.hears(/^>LOG:.*alice/);
  });

  it('ends with the client, also if the client leaves while OpenVPN does not answer', async () => {
    const server = await vpn.server({ management: vpn.at('m') });
    const { management } = await openOffice();
    const [holder, other] = await Promise.all([office.join(), office.join()]);
    await holder.ask('hold on');
    expect(await asked(management, 'hold')).toBe('SUCCESS: hold=1');
    process.kill(server.pid, 'SIGSTOP');
    other.say('pid');
    await other.hears(/^>INFO:OpenVPN office is lost: it does not answer/);
    holder.close();
    await until('the holder has left', () => holder.ended);
    process.kill(server.pid, 'SIGCONT');
    await until('OpenVPN is back', () => other.count(/^>INFO:OpenVPN Management Interface/) === 2);
    await until('the hold is off', async () => (await asked(management, 'hold')) === 'SUCCESS: hold=0');
    other.say('signal SIGUSR1');
    await until(
      'OpenVPN starts',
      () => server.log().match(/Initialization Sequence Completed/g)?.length === 2,
    );
  });
});

/** Connects a console client of the daemon. Resolves after the console's greeting or refusal. */
async function join(): Promise<Talker> {
  const talker = await Talker.connect(vpn.at('office.sock'));
  onTestFinished(() => {
    talker.close();
  });
  await talker.hears(/^(?:>INFO|ERROR)/);
  return talker;
}

/** `subflowd run` for the OpenVPN at `m`, whose console is at `office.sock`. Resolves when OpenVPN is connected. */
async function startDaemon(): Promise<(signal: NodeJS.Signals) => Promise<void>> {
  const config = vpn.at('subflowd.ini');
  writeFileSync(
    config,
    [
      ...['[openvpn office]', `events = ${vpn.at('events')}`, `management = ${vpn.at('m')}`],
      ...[`password-file = ${vpn.passwordFile}`, `console = ${vpn.at('office.sock')}`],
      ...['[path wifi]', 'prefix = 192.168.100.0/24'],
      ...['[console]', `socket = ${vpn.at('console')}`, `overrides = ${vpn.at('overrides')}`, ''],
    ].join('\n'),
  );
  const main = resolve(import.meta.dirname, '../../dist/bundle/main.js');
  const child = spawn(process.execPath, [main, 'run', '--single', '-c', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  };
  onTestFinished(() => end('SIGKILL'));
  await until('the daemon serves', () => log.includes('"event":"ready"')).catch(() => {
    throw new Error(`the daemon does not serve: ${log}`);
  });
  const client = await join();
  await client.hears(/^>INFO:OpenVPN Management Interface/);
  client.close();
  return end;
}

/** OpenVPN's own answer, on a direct connection. */
async function askDirectly(command: string): Promise<string> {
  const direct = await Talker.connect(vpn.at('m'));
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
    await vpn.server({ management: vpn.at('m') });
    const kill = await startDaemon();
    const holder = await join();
    await holder.ask('hold on');
    expect(await holder.ask('hold')).toEqual(['SUCCESS: hold=1']);
    await kill('SIGKILL');
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=1');
    const killAgain = await startDaemon();
    const client = await join();
    expect(await client.ask('hold')).toEqual(['SUCCESS: hold=1']);
    expect(await client.ask('hold off')).toEqual(['SUCCESS: hold flag set to OFF']);
    expect(await client.ask('hold')).toEqual(['SUCCESS: hold=0']);
    await killAgain('SIGKILL');
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=0');
  });

  it('ends when subflowd is stopped, and OpenVPN no longer waits for the client', async () => {
    const server = await vpn.server({ management: vpn.at('m') });
    const stop = await startDaemon();
    const holder = await join();
    await holder.ask('hold on');
    holder.say('signal SIGUSR1');
    await holder.hears(/^>HOLD:Waiting for hold release/);
    await stop('SIGTERM');
    await until('it starts', () => server.log().match(/Initialization Sequence Completed/g)?.length === 2);
    expect(await askDirectly('hold')).toBe('SUCCESS: hold=0');
  });
});

describe('a console that hangs up while OpenVPN is away', () => {
  it('closes and refuses connections until OpenVPN is back, while the console of subflowd stays open', async () => {
    const first = await vpn.server({ management: vpn.at('m') });
    await openOffice({ console: { socket: vpn.at('office.sock'), hangsUp: true } });
    const [monitor, own] = await Promise.all([office.join(), office.join('console')]);
    expect(await monitor.ask('pid')).toEqual([`SUCCESS: pid=${first.pid}`]);
    await first.kill('SIGKILL');
    await until('the console hangs up', () => monitor.ended);
    expect(monitor.lines.at(-1)).toMatch(/^>INFO:OpenVPN office is lost: /);
    const early = await office.join();
    await until('the console hangs up', () => early.ended);
    expect(early.lines).toEqual(['ERROR: OpenVPN office is not connected']);
    await own.hears(/^>INFO:OpenVPN office is lost: .*; you get its greeting when it is back/);
    own.say('mptcp rules reload');
    await own.hears(/^SUCCESS: the rules of the file are in force/);
    const second = await vpn.server({ management: vpn.at('m') });
    await until('OpenVPN is back', () => own.count(/^>INFO:OpenVPN Management Interface/) === 2);
    expect(await (await office.join()).ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
  }); // prettier-ignore
});
