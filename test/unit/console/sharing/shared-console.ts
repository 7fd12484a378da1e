import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { CLIENT_LIMITS, type ClientLimits } from '../../../../src/console/listen/client-connection.js';
import { Console } from '../../../../src/console/listen/console.js';
import { UnreadAnswers } from '../../../../src/console/listen/unread.js';
import { SharedManagement } from '../../../../src/console/sharing/shared-management.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import { Backoff } from '../../../../src/util/backoff.js';
import type { FakeOpenvpn } from '../../../support/fake-openvpn.js';
import { Talker } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { Steered } from '../steered.js';

// each wait has its own time limit
vi.setConfig({ testTimeout: 120_000 });

/** Of the current test: sockets are here. */
export let directory: string;
/** What the end of the test closes, in reverse order. */
export let ends: (() => unknown)[];
/** The orders that clients gave. */
export let orders: string[];

beforeEach(() => {
  orders = [];
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  ends = [];
});
afterEach(async () => {
  await end();
  rmSync(directory, { recursive: true });
});

/** Closes everything. */
export async function end(): Promise<void> {
  for (const each of ends.splice(0).reverse()) await each();
}

/** Opens a console in front of a peer that answers as OpenVPN does. */
export async function share(
  fake: FakeOpenvpn,
  limits: ClientLimits = CLIENT_LIMITS,
  unread = new UnreadAnswers(),
): Promise<Management> {
  const management = new Management({ socket: join(directory, 'm') }, { backoff: new Backoff(10, 40) });
  const shared = new SharedManagement('office', management);
  shared.on('order', (_client, text) => orders.push(text));
  const console = await Console.open(
    { socket: join(directory, 'console'), mode: 0o600 },
    { daemon: new Steered(join(directory, 'overrides'), []), sharedManagement: () => shared },
    limits,
    unread,
  );
  management.start();
  ends.push(
    () => {
      fake.close();
    },
    () => console.close(),
    () => {
      management.stop();
    },
  );
  await until('it is ready', () => management.isReady);
  return management;
}

/** A client of the console that has been greeted. */
export async function joined(): Promise<Talker> {
  const talker = await Talker.connect(join(directory, 'console'));
  ends.push(() => {
    talker.close();
  });
  await talker.hears(/^>INFO:/);
  return talker;
}
