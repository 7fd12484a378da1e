import { beforeEach, describe, expect, it, vi } from 'vitest';
import { needs } from '../lab/needs.js';
import { Office } from '../support/office.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import type { Talker } from '../support/talker.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let office: Office;

beforeEach(async () => {
  vpn = await vpnForTest();
});

/** Opens the consoles before OpenVPN at `m`. */
async function openOffice(): Promise<Office> {
  return (office = await Office.open(vpn));
}

/** Connects a client of subflowd's own console, which also serves the only server. */
function join(): Promise<Talker> {
  return office.join('console');
}

describe('real-time messages', () => {
  it('go only to the clients that asked for them', async () => {
    await vpn.server({ management: vpn.at('m'), extra: ['verb 3'] });
    const { servers } = await openOffice();
    const [loud, quiet, third] = await Promise.all([join(), join(), join()]);
    expect(await loud.ask('log on all')).toEqual(
      expect.arrayContaining(['SUCCESS: real-time log notification set to ON', 'END']),
    );
    expect(await loud.ask('bytecount 1')).toContain('SUCCESS: bytecount interval changed');
    expect(await third.ask('bytecount 4')).toEqual(['SUCCESS: bytecount interval changed']);
    expect(await third.ask('log on')).toContain('SUCCESS: real-time log notification set to ON');
    expect(await third.ask('env-filter 2')).toContain('SUCCESS: env_filter_level=2');
    const alice = await vpn.client('alice');
    for (const talker of [loud, quiet, third]) await talker.hears(/^>CLIENT:ESTABLISHED,0/);
    await until('subflowd knows the session', () => servers.sessions()[0]?.commonName === 'alice');
    await until('five byte counts arrived', () => loud.count(/^>BYTECOUNT_CLI:0,/) >= 5);
    const byteCounts = third.count(/^>BYTECOUNT_CLI/);
    expect(byteCounts).toBeGreaterThanOrEqual(1);
    expect(byteCounts).toBeLessThanOrEqual(3);
    expect(quiet.count(/^>(?:BYTECOUNT|LOG|STATE)/)).toBe(0);
    expect(loud.count(/^>LOG:.*alice/)).toBeGreaterThan(0);
    // Each notice is complete, and each client has its own filter.
    const env = (talker: Talker) => {
      const from = talker.lines.indexOf('>CLIENT:ESTABLISHED,0');
      return talker.lines.slice(from, talker.lines.indexOf('>CLIENT:ENV,END', from));
    };
    expect(env(quiet)).toContain('>CLIENT:ENV,common_name=alice');
    expect(env(quiet).every((line) => line.startsWith('>CLIENT:'))).toBe(true);
    expect(env(third).some((line) => line.includes('common_name='))).toBe(false);
    expect(env(third)).toContainEqual(expect.stringContaining('>CLIENT:ENV,untrusted_ip='));
    // After one client turns its log off, the other still gets the log.
    expect(await third.ask('log off')).toContain('SUCCESS: real-time log notification set to OFF');
    const heard = [loud.count(/^>LOG/), third.count(/^>LOG/)];
    await alice.kill();
    await until('a log line arrived', () => loud.count(/^>LOG/) > (heard[0] ?? 0));
    expect(third.count(/^>LOG/)).toBe(heard[1]);
  });

  it('of the state reach a client from its own `state on` on, also after a restart of OpenVPN', async () => {
    const server = await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const [watcher, other] = await Promise.all([join(), join()]);
    await watcher.ask('state on');
    expect(await other.ask('signal SIGUSR1')).toEqual(['SUCCESS: signal SIGUSR1 thrown']);
    await watcher.hears(/^>STATE:\d+,RECONNECTING,SIGUSR1/);
    await watcher.hears(/^>STATE:\d+,CONNECTED,SUCCESS/);
    expect(other.count(/^>STATE/)).toBe(0);
    // After SIGHUP the console still has its connection to OpenVPN, or connects again.
    await other.ask('signal SIGHUP');
    await until('OpenVPN is connected again', () => watcher.count(/^>STATE:\d+,CONNECTED/) >= 2);
    expect(await other.ask('pid')).toEqual([`SUCCESS: pid=${server.pid}`]);
  });
});

describe('hold', () => {
  it('is in force for one client alone, and ends when that client leaves', async () => {
    const server = await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const [holder, other] = await Promise.all([join(), join()]);
    const starts = () => server.log().match(/Initialization Sequence Completed/g)?.length;
    expect(await holder.ask('hold on')).toEqual(['SUCCESS: hold flag set to ON']);
    expect(await holder.ask('hold')).toEqual(['SUCCESS: hold=1']);
    expect(await other.ask('hold')).toEqual(['SUCCESS: hold=0']);
    await other.ask('signal SIGUSR1');
    await holder.hears(/^>HOLD:Waiting for hold release/);
    expect(other.count(/^>HOLD/)).toBe(0);
    expect(await other.ask('hold release')).toEqual([
      'SUCCESS: hold release noted; OpenVPN waits for 1 more client to release it or leave',
    ]);
    expect(starts()).toBe(1);
    expect(await holder.ask('hold release')).toEqual(['SUCCESS: hold release succeeded']);
    await until('OpenVPN starts', () => starts() === 2);
    // The second time, the holder leaves without a release.
    await other.ask('signal SIGUSR1');
    await until('OpenVPN holds', () => holder.count(/^>HOLD/) === 2);
    holder.close();
    await until('OpenVPN starts', () => starts() === 3);
    await other.ask('signal SIGUSR1');
    await until('OpenVPN starts without a hold', () => starts() === 4);
  });
});

describe('an OpenVPN that is killed in the middle of an answer', () => {
  it('is reported as lost, and gets the settings of all clients again when it is back', async () => {
    const first = await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const [watcher, other] = await Promise.all([join(), join()]);
    await watcher.ask('state on');
    await watcher.ask('log on');
    const ask = vi.spyOn(office.management, 'ask');
    process.kill(first.pid, 'SIGSTOP');
    other.say('status 3\nmptcp claim auth\nversion');
    watcher.say('pid');
    const isAsked = (command: string) => ask.mock.calls.some(([{ text }]) => text === command);
    await until('OpenVPN is asked both', () => isAsked('status 3') && isAsked('pid'));
    await first.kill('SIGKILL');
    expect(await other.hears(/^ERROR: OpenVPN office gives no answer: /)).toMatch(
      /it closed the connection|ECONNRESET/,
    );
    await other.hears(/^SUCCESS: you have claimed auth/);
    await watcher.hears(/^>INFO:OpenVPN office is lost: .*; you get its greeting when it is back/);
    await until(
      'each command has an answer',
      () => other.count(/^ERROR/) === 2 && watcher.count(/^ERROR/) === 1,
    );
    watcher.say('bytecount 5');
    await until(
      'the command is refused',
      () => watcher.count(/^ERROR: OpenVPN office gives no answer: .*is not available/) === 2,
    );
    const second = await vpn.server({ management: vpn.at('m') });
    await until('OpenVPN is back', () => watcher.count(/^>INFO:OpenVPN Management Interface/) === 2);
    expect(await other.ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
    const heard = watcher.count(/^>STATE/);
    await other.ask('signal SIGUSR1');
    await until('a state arrived', () => watcher.count(/^>STATE/) > heard);
    await until('a log line arrived', () => watcher.count(/^>LOG/) > 0);
    expect(other.count(/^>(?:LOG|STATE)/)).toBe(0);
  });
});
