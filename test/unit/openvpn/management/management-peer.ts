import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import type { ClientMessage } from '../../../../src/openvpn/management/client-messages.js';
import { Management } from '../../../../src/openvpn/management/management.js';
import type { ManagementOptions } from '../../../../src/openvpn/management/management-types.js';
import { Backoff } from '../../../../src/util/backoff.js';
import { FakeOpenvpn, GREETING, type FakeOpenvpnOptions } from '../../../support/fake-openvpn.js';

// not timed: each wait has its own bound
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** What OpenVPN sends first. */
export const GREETED = `${GREETING}\r\n`;

/** OpenVPN's management interface, and what the management client under test reported of it. */
export class Peer {
  readonly problems: string[] = [];
  readonly messages: ClientMessage[] = [];
  readonly statuses: (readonly string[])[] = [];
  ready = 0;
  lost = 0;
  management: Management | undefined;

  private constructor(readonly fake: FakeOpenvpn) {
    fake.status = ['TITLE\tOpenVPN 2.6.14', 'GLOBAL_STATS\tdco_enabled\t0', 'END'];
  }

  static async listen(where: string | 0, options?: FakeOpenvpnOptions): Promise<Peer> {
    return new Peer(await FakeOpenvpn.listen(where, options));
  }

  /** @param host the client connects there; default: where the peer listens. */
  connect(options: ManagementOptions = {}, host?: string): Management {
    const { address } = this.fake;
    const target =
      typeof address === 'string'
        ? { socket: address }
        : { host: host ?? address.address, port: address.port };
    const management = new Management(target, { backoff: new Backoff(10, 40), ...options })
      .on('problem', (text) => this.problems.push(text))
      .on('client', (message) => this.messages.push(message))
      .on('status', (lines) => this.statuses.push(lines))
      .on('ready', () => (this.ready += 1))
      .on('lost', () => (this.lost += 1));
    this.management = management;
    management.start();
    return management;
  }

  close(): void {
    this.management?.stop();
    this.fake.close();
  }
}

/** Of the current test. */
export let directory: string;
let peer: Peer | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-management-'));
});

afterEach(() => {
  peer?.close();
  peer = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a management interface, which the end of the test closes. */
export async function listen(where: string | 0, options?: FakeOpenvpnOptions): Promise<Peer> {
  peer = await Peer.listen(where, options);
  return peer;
}
