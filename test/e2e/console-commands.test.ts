import { existsSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
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

/** Opens the consoles before OpenVPN at `m`. */
async function openOffice(): Promise<Office> {
  return (office = await Office.open(vpn));
}

/** Connects a client of subflowd's own console, which also serves the only server. */
function join(): Promise<Talker> {
  return office.join('console');
}

/** Connects to OpenVPN itself. */
async function connectToOpenvpn(): Promise<Talker> {
  const talker = await Talker.connect(vpn.at('m'));
  await until('OpenVPN asks for the password', () => talker.prompt === 'ENTER PASSWORD:');
  talker.say('sesame and lilies');
  await talker.hears(/^>INFO:OpenVPN/);
  return talker;
}

/** Replaces what changes with time, so that two answers to the same command are equal. */
function withoutTimes(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !line.startsWith('>LOG:') && !line.startsWith('>BYTECOUNT'))
    .map((line) =>
      line
        .replace(/\b1[0-9]{9}\b/g, 'TIME')
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE')
        // OpenVPN 2.4 writes dates in this form.
        .replace(/[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}/g, 'DATE')
        .replace(/MANAGEMENT: .*/, '')
        .replace(/(bytes(?:in|out))=\d+/g, '$1=N'),
    );
}

const COMMANDS = [
  'help', 'version', 'version 3', 'version 4', 'pid', 'nclients', 'load-stats', 'status', 'status 1', 'status 2', 'status 3',
  'status 99', 'state', 'state all', 'state 2', 'state nonsense', 'echo', 'echo all', 'echo on', 'echo on all', 'echo off',
  'state on', 'state on all', 'state all off', 'log', 'log nonsense', 'log 1 nonsense', 'log off', 'bytecount', 'bytecount 0',
  'bytecount x', 'hold', 'hold nonsense', 'verb', 'verb 3', 'verb 99', 'mute', 'mute 0', 'mute x', 'auth-retry',
  'auth-retry nonsense', 'auth-retry none', 'kill', 'kill nobody', 'kill 127.0.0.1:9', 'kill nonsense:1', 'kill 1.2.3.4:99999',
  'kill :', 'signal', 'signal NONSENSE', 'net', 'env-filter', 'env-filter 1', 'env-filter 0', 'forget-passwords', 'username',
  'username Auth x', 'password Auth', 'password Auth x', 'needok x ok', 'needstr x y', 'cr-response x', 'pkcs11-id-count',
  'pkcs11-id-get', 'pkcs11-id-get 0', 'remote-entry-count', 'remote-entry-get', 'remote-entry-get all', 'remote ACCEPT', 'remote',
  'proxy NONE', 'client-kill', 'client-kill 999', 'client-kill x', 'client-deny 1', 'client-deny 1 1 no', 'client-auth-nt 1 1',
  'client-auth-nt x 1', 'client-auth', 'client-auth 1 x', 'client-auth 1 1\nEND', 'client-auth 1 1\npush "x"\nEND',
  'client-pending-auth 1 1 x 1', 'client-pending-auth', 'pk-sig', 'rsa-sig', 'certificate', 'test', 'test 0', 'test 3', 'test x',
  'client-auth 1 1 1\nEND', 'client-pf', 'client-pf x', 'client-pf 1\n[CLIENTS DROP]\n+alice\n\n# none\n[END]\nEND',
  'push-update-broad', 'push-update-broad x', 'push-update-cid 0 x', 'push-update-cid x y', 'version 5', 'password Auth',
  'password Auth\nc2VzYW1l\nEND', 'version 1', 'nonsense', 'nonsense 1 2', '', '   ', '# comment', '; comment', '"open', "'open", 'back\\slash', 'end\\',
  'status " 3"', "'pid'", '"help" me', 'p\tid', `kill ${'x'.repeat(255)}`, `kill ${'x'.repeat(300)}`, 'a b c d e f g h i j k l m n o p q r',
]; // prettier-ignore

describe('every command', () => {
  it('gets the same answer at the console as from OpenVPN itself', async () => {
    // No client connects or disconnects between the two runs, so no counter changes.
    await vpn.server({ management: vpn.at('m'), extra: ['verb 3'] });
    const openvpn = await connectToOpenvpn();
    const expected = new Map<string, readonly string[]>();
    for (const command of COMMANDS) expected.set(command, withoutTimes(await openvpn.ask(command)));
    openvpn.close();
    await openOffice();
    const client = await join();
    const answers = new Map<string, readonly string[]>();
    for (const command of COMMANDS) answers.set(command, withoutTimes(await client.ask(command)));
    expect(answers).toEqual(expected);
  });

  it('gets the answer for the version that its client set, although another client set another', async () => {
    const commands = ['version 3', 'version 4', 'version 5'];
    await vpn.server({ management: vpn.at('m') });
    const openvpn = await connectToOpenvpn();
    const expected: (readonly string[])[] = [];
    for (const command of commands) expected.push(withoutTimes(await openvpn.ask(command)));
    openvpn.close();
    await openOffice();
    const [newest, other] = await Promise.all([join(), join()]);
    await newest.ask('version 9');
    for (const [index, command] of commands.entries())
      expect(withoutTimes(await other.ask(command))).toEqual(expected[index]);
  });
});

describe('commands whose answers differ between versions of OpenVPN', () => {
  it('do not mix with the answers to other clients', async () => {
    await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const clients = await Promise.all([join(), join(), join(), join()]);
    const [pusher, killer, watcher, filter] = clients;
    for (let round = 0; round < 5; round++) {
      pusher.say('push-update-broad x\npush-update-cid 0 x\npush-update-cid x y');
      filter.say('client-auth x 1\nclient-pf 1\n[CLIENTS DROP]\n[END]\nEND\nversion 5\nsignal NONSENSE');
      killer.say('kill nobody');
      watcher.say('status 3');
    }
    for (const client of clients) expect(await client.ask('pid')).toContainEqual(expect.stringMatching(/^SUCCESS: pid=\d+$/));
    const lines = ({ lines: all }: Talker) => all.filter((line) => !line.startsWith('>'));
    expect(new Set(lines(killer).slice(0, -1))).toEqual(new Set(["ERROR: common name 'nobody' not found"]));
    expect(lines(killer)).toHaveLength(6);
    expect(lines(watcher).filter((line) => line === 'END')).toHaveLength(5);
    expect(lines(watcher).filter((line) => /^(?:SUCCESS|ERROR)/.test(line))).toHaveLength(1);
    expect(pusher.lines.join('\n')).not.toMatch(/nobody|TITLE|NONSENSE/);
    expect(filter.lines.join('\n')).not.toMatch(/nobody|TITLE|updated|push/);
    expect(filter.count(/^ERROR: signal 'NONSENSE'/)).toBe(5);
  }); // prettier-ignore

  it('include a password in lines of base64, before and after OpenVPN waits for it', async () => {
    await vpn.encrypt('server', 'sesame');
    const server = vpn.server({ management: vpn.at('m'), extra: ['management-query-passwords'] });
    server.catch(() => undefined);
    await until('the socket exists', () => existsSync(vpn.at('m')));
    const { management } = await openOffice();
    const isSupported = Number(/Version (\d+)/.exec(management.greeting ?? '')?.[1]) >= 6;
    const [first, second] = await Promise.all([join(), join()]);
    await first.hears(/^>PASSWORD:Need 'Private Key' password/);
    const lines = `password "Private Key"\n${Buffer.from('sesame').toString('base64')}\nEND`;
    await first.ask('version 5');
    const answer = await first.ask(lines);
    const accepted = "SUCCESS: 'Private Key' password entered, but not yet verified";
    if (isSupported) expect(answer).toContain(accepted);
    else expect(await first.ask('password "Private Key" sesame')).toContain(accepted);
    await server;
    const late = await first.ask(lines);
    expect(late[0]).toMatch(/^ERROR: (?!unknown)/);
    expect(await second.ask('kill nobody')).toEqual(["ERROR: common name 'nobody' not found"]);
  });

  it('include the signal that ends OpenVPN', async () => {
    await vpn.server({ management: vpn.at('m') });
    await openOffice();
    const first = await join();
    first.say('signal SIGTERM');
    await first.hears(/^SUCCESS: signal SIGTERM thrown$/);
    await first.hears(/^>INFO:OpenVPN office is lost/);
  });
});
