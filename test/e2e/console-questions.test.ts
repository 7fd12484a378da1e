import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../lab/needs.js';
import { Office } from '../support/office.js';
import { type LoopbackVpn, openvpnBefore } from '../support/openvpn.js';
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

describe('client-auth', () => {
  const extra = [
    'management-client-auth',
    'auth-user-pass-optional',
    'verify-client-cert none',
    'username-as-common-name',
  ];

  it('is answered by the client that claims it, and only that client gets the passwords', async () => {
    await vpn.server({ management: vpn.at('m'), extra });
    const { servers } = await openOffice();
    const [gate, other] = await Promise.all([join(), join()]);
    const login = vpn.at('login');
    writeFileSync(login, 'alice\nlilies\n');
    const config = vpn.at('client.conf');
    writeFileSync(config, `auth-user-pass ${login}`);
    const alice = vpn.client('x', { config });
    await other.hears(/^>INFO:OpenVPN asks whether to admit clients/);
    expect(other.count(/^>CLIENT:CONNECT|password/)).toBe(0);
    // OpenVPN asked before the claim. The client gets that question together with the claim.
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
    await until('subflowd knows', () => servers.sessions().length <= 1);
    expect(other.lines.join('\n')).not.toContain('lilies');
    expect(other.count(/^>CLIENT:DISCONNECT/)).toBe(1);
    // When the client leaves, another one can claim it.
    gate.close();
    await until(
      'auth can be claimed',
      async () => !(await other.ask('mptcp claim auth'))[0]?.startsWith('ERROR'),
    );
    await other.ask('mptcp release auth');
    const bob = vpn.client('x', { config });
    await until(
      'OpenVPN asks for the second client',
      () => other.count(/asks whether to admit clients/) === 2,
    );
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
  it('reach every client of the console, and one client answers', async () => {
    await vpn.encrypt('server', 'sesame');
    const server = vpn.server({ management: vpn.at('m'), extra: ['management-query-passwords'] });
    await until('the socket exists', () => existsSync(vpn.at('m')));
    await openOffice();
    const [first, second] = await Promise.all([join(), join()]);
    await first.hears(/^>PASSWORD:Need 'Private Key' password/);
    await second.hears(/^>PASSWORD:Need 'Private Key' password/);
    expect(await second.ask('password "Private Key" sesame')).toContain(
      "SUCCESS: 'Private Key' password entered, but not yet verified",
    );
    await server;
    expect(await first.ask('password "Private Key" sesame')).toEqual([
      'ERROR: only one client may send password, and client 2 has claimed questions',
    ]);
    const late = await join();
    expect(late.count(/^>PASSWORD/)).toBe(0);
  });

  // OpenVPN 2.4 has only rsa-sig.
  const commands = openvpnBefore(2, 5) ? ['rsa-sig'] : ['pk-sig', 'rsa-sig'];

  it.each(commands)('for a certificate and a signature (%s) can be answered with several lines', async (command) => {
    const server = vpn.server({ management: vpn.at('m'), externalKey: true });
    // A failure to start is reported by the `await` below.
    server.catch(() => undefined);
    await until('the socket exists', () => existsSync(vpn.at('m')));
    await openOffice();
    const [token, other] = await Promise.all([join(), join()]);
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
    // Too late: each line is taken as a command, as OpenVPN itself does.
    const [refusal, ...others] = await token.ask(answer);
    expect(refusal).toBe(`ERROR: The ${command} command is not currently available`);
    expect(others.length).toBeGreaterThan(0);
    for (const line of others) expect(line).toMatch(/^ERROR: unknown command\b/);
  }); // prettier-ignore
});
