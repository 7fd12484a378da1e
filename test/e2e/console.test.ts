import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Console } from '../../src/console/listen/console.js';
import { SharedManagement } from '../../src/console/sharing/shared-management.js';
import { Servers } from '../../src/openvpn/servers.js';
import { needs } from '../lab/needs.js';
import { LoopbackVpn, openvpnBefore } from '../support/openvpn.js';
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

async function direct(): Promise<Talker> {
  const talker = await Talker.connect(at('m'));
  await until('the password is asked for', () => talker.prompt === 'ENTER PASSWORD:');
  talker.say('sesame and lilies');
  await talker.hears(/^>INFO:OpenVPN/);
  return talker;
}

/** The sidecar's console before OpenVPN at `m`. */
async function openConsole(): Promise<Servers> {
  const servers = new Servers([
    { name: 'office', events: at('events'), management: { socket: at('m') }, passwordFile: vpn.passwordFile },
  ]);
  const management = servers.servers()[0]?.management;
  if (management === undefined) throw new Error('it has no management');
  const shared = new SharedManagement('office', management);
  const console = await Console.open(
    { socket: at('console'), mode: 0o600 },
    { daemon: new Steered(at('overrides'), []), sharedManagement: () => shared },
  );
  servers.start();
  ends.push(
    () => console.close(),
    () => {
      servers.stop();
    },
  );
  await until('OpenVPN is there', () => management.isReady, 30_000);
  return servers;
}

/** What changes from one moment to the next. */
function steady(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !line.startsWith('>LOG:') && !line.startsWith('>BYTECOUNT'))
    .map((line) =>
      line
        .replace(/\b1[0-9]{9}\b/g, 'TIME')
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'DATE')
        // as 2.4 writes it
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
  it('is answered as OpenVPN itself answers it', async () => {
    // no client comes or goes, and nothing is counted, between the two
    await vpn.server({ management: at('m'), extra: ['verb 3'] });
    const own = await direct();
    const expected = new Map<string, readonly string[]>();
    for (const command of COMMANDS) expected.set(command, steady(await own.ask(command)));
    own.close();
    await openConsole();
    const client = await Talker.connect(at('console'));
    await client.hears(/^>INFO:OpenVPN Management Interface Version/);
    const answers = new Map<string, readonly string[]>();
    for (const command of COMMANDS) answers.set(command, steady(await client.ask(command)));
    expect(answers).toEqual(expected);
  });

  it('is answered so for the version of one client where that of another is in force', async () => {
    const commands = ['version 3', 'version 4', 'version 5'];
    await vpn.server({ management: at('m') });
    const own = await direct();
    const expected: (readonly string[])[] = [];
    for (const command of commands) expected.push(steady(await own.ask(command)));
    own.close();
    await openConsole();
    const [newest, other] = await Promise.all([joined(), joined()]);
    await newest.ask('version 9');
    for (const [index, command] of commands.entries())
      expect(steady(await other.ask(command))).toEqual(expected[index]);
  });
});

async function joined(): Promise<Talker> {
  const talker = await Talker.connect(at('console'));
  ends.push(() => {
    talker.close();
  });
  await talker.hears(/^>INFO:OpenVPN Management Interface Version/);
  return talker;
}

describe('real-time messages', () => {
  it('go to those who asked for them, and to nobody else', async () => {
    await vpn.server({ management: at('m'), extra: ['verb 3'] });
    const servers = await openConsole();
    const [loud, quiet, third] = await Promise.all([joined(), joined(), joined()]);
    expect(await loud.ask('log on all')).toEqual(
      expect.arrayContaining(['SUCCESS: real-time log notification set to ON', 'END']),
    );
    expect(await loud.ask('bytecount 1')).toContain('SUCCESS: bytecount interval changed');
    expect(await third.ask('bytecount 4')).toEqual(['SUCCESS: bytecount interval changed']);
    expect(await third.ask('log on')).toContain('SUCCESS: real-time log notification set to ON');
    expect(await third.ask('env-filter 2')).toContain('SUCCESS: env_filter_level=2');
    const alice = await vpn.client('alice');
    for (const talker of [loud, quiet, third]) await talker.hears(/^>CLIENT:ESTABLISHED,0/);
    await until('the sidecar has learnt it, too', () => servers.sessions()[0]?.commonName === 'alice');
    await until('five reports', () => loud.count(/^>BYTECOUNT_CLI:0,/) >= 5);
    const reports = third.count(/^>BYTECOUNT_CLI/);
    expect(reports).toBeGreaterThanOrEqual(1);
    expect(reports).toBeLessThanOrEqual(3);
    expect(quiet.count(/^>(?:BYTECOUNT|LOG|STATE)/)).toBe(0);
    expect(loud.count(/^>LOG:.*alice/)).toBeGreaterThan(0);
    // whole, and each with its own filter
    const env = (talker: Talker) => {
      const from = talker.lines.indexOf('>CLIENT:ESTABLISHED,0');
      return talker.lines.slice(from, talker.lines.indexOf('>CLIENT:ENV,END', from));
    };
    expect(env(quiet)).toContain('>CLIENT:ENV,common_name=alice');
    expect(env(quiet).every((line) => line.startsWith('>CLIENT:'))).toBe(true);
    expect(env(third).some((line) => line.includes('common_name='))).toBe(false);
    expect(env(third)).toContainEqual(expect.stringContaining('>CLIENT:ENV,untrusted_ip='));
    // one turns off what it has, the other goes on
    expect(await third.ask('log off')).toContain('SUCCESS: real-time log notification set to OFF');
    const heard = [loud.count(/^>LOG/), third.count(/^>LOG/)];
    await alice.kill();
    await until('the log', () => loud.count(/^>LOG/) > (heard[0] ?? 0));
    expect(third.count(/^>LOG/)).toBe(heard[1]);
  });

  it('of the state come to each from its own `on` to its own `off`, restarts included', async () => {
    const server = await vpn.server({ management: at('m') });
    await openConsole();
    const [watcher, other] = await Promise.all([joined(), joined()]);
    await watcher.ask('state on');
    expect(await other.ask('signal SIGUSR1')).toEqual(['SUCCESS: signal SIGUSR1 thrown']);
    await watcher.hears(/^>STATE:\d+,RECONNECTING,SIGUSR1/);
    await watcher.hears(/^>STATE:\d+,CONNECTED,SUCCESS/);
    expect(other.count(/^>STATE/)).toBe(0);
    // SIGHUP closes nothing either, or the console finds it again
    await other.ask('signal SIGHUP');
    await until('it serves again', () => watcher.count(/^>STATE:\d+,CONNECTED/) >= 2);
    expect(await other.ask('pid')).toEqual([`SUCCESS: pid=${server.pid}`]);
  });
});

describe('hold', () => {
  it("is one client's own, and ends with it", async () => {
    const server = await vpn.server({ management: at('m') });
    await openConsole();
    const [holder, other] = await Promise.all([joined(), joined()]);
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
    await until('it starts', () => starts() === 2);
    // and once more: the holder leaves without a word
    await other.ask('signal SIGUSR1');
    await until('it holds', () => holder.count(/^>HOLD/) === 2);
    holder.close();
    await until('it starts', () => starts() === 3);
    await other.ask('signal SIGUSR1');
    await until('it starts without a wait', () => starts() === 4);
  });
});

describe('an OpenVPN that is killed in the middle of an answer', () => {
  it('is told of, and found again with all that its clients had asked for', async () => {
    const first = await vpn.server({ management: at('m') });
    await openConsole();
    const [watcher, other] = await Promise.all([joined(), joined()]);
    await watcher.ask('state on');
    await watcher.ask('log on');
    process.kill(first.pid, 'SIGSTOP');
    other.say('status 3\nmptcp claim auth\nversion');
    watcher.say('pid');
    await sleep(300);
    await first.kill('SIGKILL');
    expect(await other.hears(/^ERROR: OpenVPN office gives no answer: /)).toMatch(
      /it closed the connection|ECONNRESET/,
    );
    await other.hears(/^SUCCESS: you have claimed auth/);
    await watcher.hears(/^>INFO:OpenVPN office is lost: .*; you get its greeting when it is back/);
    await until('an answer each', () => other.count(/^ERROR/) === 2 && watcher.count(/^ERROR/) === 1);
    watcher.say('bytecount 5');
    await until(
      'why not',
      () => watcher.count(/^ERROR: OpenVPN office gives no answer: .*is not available/) === 2,
    );
    const second = await vpn.server({ management: at('m') });
    await until('it is back', () => watcher.count(/^>INFO:OpenVPN Management Interface/) === 2);
    expect(await other.ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
    const heard = watcher.count(/^>STATE/);
    await other.ask('signal SIGUSR1');
    await until('its state is told', () => watcher.count(/^>STATE/) > heard);
    await until('its log is told', () => watcher.count(/^>LOG/) > 0);
    expect(other.count(/^>(?:LOG|STATE)/)).toBe(0);
  });
});

describe('client-auth', () => {
  const extra = [
    'management-client-auth',
    'auth-user-pass-optional',
    'verify-client-cert none',
    'username-as-common-name',
  ];

  it('is for the one who claims it, who alone is told the passwords', async () => {
    await vpn.server({ management: at('m'), extra });
    const servers = await openConsole();
    const [gate, other] = await Promise.all([joined(), joined()]);
    const login = at('login');
    writeFileSync(login, 'alice\nlilies\n');
    const config = at('client.conf');
    writeFileSync(config, `auth-user-pass ${login}`);
    const alice = vpn.client('x', { config });
    await other.hears(/^>INFO:OpenVPN asks whether to admit clients/);
    expect(other.count(/^>CLIENT:CONNECT|password/)).toBe(0);
    // what was asked before the claim is told with it
    expect(await gate.ask('mptcp claim auth')).toContain(
      'SUCCESS: you have claimed auth, until you leave or send mptcp release auth',
    );
    const [, cid = '', kid = ''] = /CONNECT,(\d+),(\d+)/.exec(await gate.hears(/^>CLIENT:CONNECT/)) ?? [];
    expect(gate.lines).toContain('>CLIENT:ENV,password=lilies');
    expect(await other.ask(`client-auth-nt ${cid} ${kid}`)).toEqual([
      'ERROR: only one client may send client-auth-nt, and client 1 has claimed auth',
    ]);
    expect(await gate.ask(`client-auth ${cid} ${kid}\npush "echo hello there"\nEND`)).toContain(
      'SUCCESS: client-auth command succeeded',
    );
    await (await alice).kill();
    await other.hears(/^>CLIENT:ESTABLISHED/);
    await until('the sidecar knows', () => servers.sessions().length <= 1);
    expect(other.lines.join('\n')).not.toContain('lilies');
    expect(other.count(/^>CLIENT:DISCONNECT/)).toBe(1);
    // the next one claims it by being believed
    gate.close();
    await until('it is free', async () => !(await other.ask('mptcp claim auth'))[0]?.startsWith('ERROR'));
    await other.ask('mptcp release auth');
    const bob = vpn.client('x', { config });
    await until('two ask', () => other.count(/asks whether to admit clients/) === 2);
    await other.ask('mptcp claim auth');
    const [, next = '', key = ''] =
      /CONNECT,(\d+),(\d+)/.exec(other.lines.findLast((line) => line.includes('CONNECT')) ?? '') ?? [];
    await other.ask('mptcp release auth');
    expect(await other.ask('client-deny 99 0 "no such"')).toEqual(['ERROR: client-deny command failed']);
    expect(await other.ask('mptcp release auth')).toEqual(['ERROR: you have not claimed auth']);
    expect(await other.ask(`client-auth-nt ${next} ${key}`)).toContain(
      'SUCCESS: client-auth command succeeded',
    );
    await (await bob).kill();
    expect(await other.ask('mptcp release auth')).toEqual(['SUCCESS: auth is released']);
  });
});

describe('questions of OpenVPN', () => {
  it('are told to whoever comes, and answered by one', async () => {
    await vpn.encrypt('server', 'sesame');
    const server = vpn.server({ management: at('m'), extra: ['management-query-passwords'] });
    await until('the socket is there', () => existsSync(at('m')));
    await openConsole();
    const [first, second] = await Promise.all([joined(), joined()]);
    await first.hears(/^>PASSWORD:Need 'Private Key' password/);
    await second.hears(/^>PASSWORD:Need 'Private Key' password/);
    expect(await second.ask('password "Private Key" sesame')).toContain(
      "SUCCESS: 'Private Key' password entered, but not yet verified",
    );
    await server;
    expect(await first.ask('password "Private Key" sesame')).toEqual([
      'ERROR: only one client may send password, and client 2 has claimed questions',
    ]);
    const late = await joined();
    expect(late.count(/^>PASSWORD/)).toBe(0);
  });

  // the word of 2.4 is rsa-sig alone
  const words = openvpnBefore(2, 5) ? ['rsa-sig'] : ['pk-sig', 'rsa-sig'];

  it.each(words)('for its certificate and signatures (%s) are answered with several lines', async (command) => {
    const server = vpn.server({ management: at('m'), externalKey: true });
    // a failure to start is for the `await` below
    server.catch(() => undefined);
    await until('the socket is there', () => existsSync(at('m')));
    await openConsole();
    const [token, other] = await Promise.all([joined(), joined()]);
    token.say('version 2');
    await other.hears(/^>NEED-CERTIFICATE:a-token$/);
    await token.hears(/^>NEED-CERTIFICATE:a-token$/);
    const certificate = readFileSync(vpn.file('server', 'crt'), 'utf8').trimEnd();
    expect(await token.ask(`certificate\n${certificate}\nEND`)).toContain('SUCCESS: certificate command succeeded');
    await server;
    expect((await token.ask(`certificate\n${certificate}\nEND`))[0]).toBe('ERROR: The certificate command is not currently available');
    const client = vpn.client('alice');
    const [, digest = ''] = /^>(?:PK|RSA)_SIGN:([^,]+)/.exec(await token.hears(/^>(?:PK|RSA)_SIGN:/)) ?? [];
    expect(other.count(/SIGN/)).toBe(0);
    const { stdout } = await execa('openssl', ['pkeyutl', '-sign', '-inkey', vpn.file('server', 'key')], {
      input: Buffer.from(digest, 'base64'),
      encoding: 'buffer',
    });
    const signature = Buffer.from(stdout).toString('base64').match(/.{1,64}/g) ?? [];
    const answer = [command, ...signature, 'END'].join('\n');
    expect(await token.ask(answer)).toContainEqual(expect.stringMatching(/^SUCCESS: (?:pk|rsa)-sign command succeeded$/));
    await (await client).kill();
    // too late: each line is a command, as it is to one who is connected to OpenVPN itself
    const [refusal, ...others] = await token.ask(answer);
    expect(refusal).toBe(`ERROR: The ${command} command is not currently available`);
    expect(others.length).toBeGreaterThan(0);
    for (const line of others) expect(line).toMatch(/^ERROR: unknown command\b/);
  }); // prettier-ignore
});

describe('commands whose answers differ between versions', () => {
  it('leave the answers of others alone', async () => {
    await vpn.server({ management: at('m') });
    await openConsole();
    const clients = await Promise.all([joined(), joined(), joined(), joined()]);
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

  it('include a password in lines of base64, in time and too late', async () => {
    await vpn.encrypt('server', 'sesame');
    const server = vpn.server({ management: at('m'), extra: ['management-query-passwords'] });
    server.catch(() => undefined);
    await until('the socket is there', () => existsSync(at('m')));
    const servers = await openConsole();
    const greeting = servers.servers()[0]?.management?.greeting ?? '';
    const understood = Number(/Version (\d+)/.exec(greeting)?.[1]) >= 6;
    const [first, second] = await Promise.all([joined(), joined()]);
    await first.hears(/^>PASSWORD:Need 'Private Key' password/);
    const lines = `password "Private Key"\n${Buffer.from('sesame').toString('base64')}\nEND`;
    await first.ask('version 5');
    const answer = await first.ask(lines);
    const taken = "SUCCESS: 'Private Key' password entered, but not yet verified";
    if (understood) expect(answer).toContain(taken);
    else expect(await first.ask('password "Private Key" sesame')).toContain(taken);
    await server;
    const late = await first.ask(lines);
    expect(late[0]).toMatch(/^ERROR: (?!unknown)/);
    expect(await second.ask('kill nobody')).toEqual(["ERROR: common name 'nobody' not found"]);
  });

  it('include the signal that ends OpenVPN', async () => {
    await vpn.server({ management: at('m') });
    await openConsole();
    const first = await joined();
    first.say('signal SIGTERM');
    await first.hears(/^SUCCESS: signal SIGTERM thrown$/);
    await first.hears(/^>INFO:OpenVPN office is lost/);
  });
});
