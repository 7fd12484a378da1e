import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Console } from '../../src/console/console.js';
import { Sharing } from '../../src/console/sharing.js';
import { Servers } from '../../src/openvpn/servers.js';
import { LoopbackVpn } from '../support/openvpn.js';
import { Talker } from '../support/talker.js';
import { until } from '../support/until.js';
import { Steered } from '../unit/console/steered.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

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
  const sharing = new Sharing('office', management);
  const console = await Console.open(
    { socket: at('console'), mode: 0o600 },
    { daemon: new Steered(at('overrides'), []), sharing },
  );
  servers.start();
  ends.push(
    () => console.close(),
    () => {
      servers.stop();
    },
  );
  await until('OpenVPN is there', () => management.ready, 30_000);
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
  'push-update-broad x', 'nonsense', 'nonsense 1 2', '', '   ', '# comment', '; comment', '"open', "'open", 'back\\slash', 'end\\',
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
});
