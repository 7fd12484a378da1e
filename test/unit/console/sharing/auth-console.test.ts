import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeFileSync } from 'node:fs';
import { Consoles } from '../../../../src/console/consoles.js';
import type { ConsoleConfig, ServerConsoleConfig } from '../../../../src/config/config.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import type { Server } from '../../../../src/openvpn/server.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { FakeOpenvpn } from '../../../support/fake-openvpn.js';
import { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { Steered } from '../steered.js';
import { directory, ends } from './shared-console.js';

const ASKS = ['>CLIENT:CONNECT,3,1', '>CLIENT:ENV,common_name=alice', '>CLIENT:ENV,END'];

/** Serves an OpenVPN with `console-auth`. */
async function serve(
  fake: FakeOpenvpn | undefined,
  settings: Partial<ServerConsoleConfig> = {},
): Promise<void> {
  const management = new Management({ socket: join(directory, 'm') }, { backoff: new Backoff(10, 40) });
  const config: ConsoleConfig = {
    socket: join(directory, 'own'),
    mode: 0o600,
    overrides: '/nowhere',
    quotas: '/nowhere',
  };
  const daemon = new Steered(join(directory, 'overrides'), []);
  const consoles = new Consoles(config, daemon, { onProblem: () => undefined, onOrder: () => undefined });
  const console = {
    socket: join(directory, 'console'),
    auth: { socket: join(directory, 'auth') },
    ...settings,
  };
  const server = { name: 'office', management, config: { console } } as unknown as Server;
  await consoles.open([server]);
  management.start();
  ends.push(
    () => {
      fake?.close();
    },
    () => consoles.close(),
    () => {
      management.stop();
    },
  );
  if (fake) await until('it is ready', () => management.isReady);
}

async function connect(name: string): Promise<Talker> {
  const talker = await Talker.connect(join(directory, name));
  ends.push(() => {
    talker.close();
  });
  return talker;
}

it('the first client of console-auth decides without a claim, and gets nothing that OpenVPN would not send', async () => {
  const fake = await FakeOpenvpn.listen(join(directory, 'm'));
  await serve(fake);
  const monitor = await connect('console');
  await monitor.hears(/^>INFO:/);
  fake.tell(...ASKS);
  await monitor.hears(/asks whether to admit/);
  const daemon = await connect('auth');
  await daemon.hears(/^>CLIENT:ENV,END/);
  daemon.say('version');
  await daemon.hears(/^END$/);
  daemon.say('client-auth-nt 3 1');
  await until('the answer arrives', () => fake.received.includes('client-auth-nt 3 1'));
  expect(daemon.lines.filter((line) => line.startsWith('>INFO:OpenVPN'))).toHaveLength(1);
  expect(daemon.lines[0]).toMatch(/^>INFO:OpenVPN Management Interface/);
  expect(await monitor.command('client-deny 3 1 no')).toEqual([
    expect.stringMatching(/^ERROR: only one client may/),
  ]);
});

it('the next client of console-auth decides when the first has left', async () => {
  const fake = await FakeOpenvpn.listen(join(directory, 'm'));
  await serve(fake);
  const first = await connect('auth');
  await first.hears(/^>INFO:/);
  const next = await connect('auth');
  await next.hears(/^>INFO:/);
  fake.tell(...ASKS);
  await first.hears(/^>CLIENT:ENV,END/);
  expect(next.count(/^>CLIENT:/)).toBe(0);
  first.close();
  await next.hears(/^>CLIENT:CONNECT,3,1/);
});

it('a client of console-auth is disconnected with OpenVPN, without a notice', async () => {
  const fake = await FakeOpenvpn.listen(join(directory, 'm'));
  await serve(fake);
  const daemon = await connect('auth');
  await daemon.hears(/^>INFO:/);
  fake.leave();
  await daemon.isDisconnected();
  expect(daemon.lines).toHaveLength(1);
  const early = await connect('auth');
  await early.isDisconnected();
  expect(early.lines).toEqual(['ERROR: OpenVPN office is not connected']);
});

it('console-auth asks for the password on its unix socket, too', async () => {
  const passwordFile = join(directory, 'pw');
  writeFileSync(passwordFile, 'sesame\n', { mode: 0o600 });
  const fake = await FakeOpenvpn.listen(join(directory, 'm'));
  await serve(fake, { passwordFile });
  const daemon = await connect('auth');
  await until('it is asked', () => daemon.prompt === 'ENTER PASSWORD:');
  daemon.say('sesame');
  await daemon.hears(/SUCCESS: password is correct$/);
  fake.tell(...ASKS);
  await daemon.hears(/^>CLIENT:CONNECT,3,1/);
  const monitor = await connect('console');
  await monitor.hears(/^>INFO:OpenVPN Management/);
});
