import { once } from 'node:events';
import {
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../support/until.js';
import { ConsoleFixture } from './console-fixture.js';

let fixture: ConsoleFixture;

beforeEach(() => {
  fixture = new ConsoleFixture();
});
afterEach(() => fixture.close());

function canGiveFilesTo(gid: number): boolean {
  const file = join(fixture.directory, 'file');
  writeFileSync(file, '');
  try {
    chownSync(file, -1, gid);
    return true;
  } catch {
    return false;
  }
}

describe('the socket of a console', () => {
  it.each([0o600, 0o660, 0o666])('has the mode of the config: %o', async (mode) => {
    fixture.config = { ...fixture.config, mode };
    await fixture.open();
    expect(statSync(fixture.config.socket).mode & 0o7777).toBe(mode);
  });

  it('has the group of the config', async () => {
    const groups = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    const [group = '', , gid] = groups.find(([, , id]) => id !== undefined && id !== '0') ?? [];
    fixture.config = { ...fixture.config, group };
    // only root may give files to any group
    if (canGiveFilesTo(Number(gid))) {
      await fixture.open();
      expect(statSync(fixture.config.socket).gid).toBe(Number(gid));
    } else {
      await expect(fixture.open()).rejects.toThrow('cannot be made: EPERM');
    }
  });

  it('is not created if its group does not exist', async () => {
    fixture.config = { ...fixture.config, group: 'no-such-group' };
    await expect(fixture.open()).rejects.toThrow(
      'there is no group no-such-group: make it (groupadd no-such-group) or change [console] group',
    );
    expect(() => statSync(fixture.config.socket)).toThrow('ENOENT');
  });

  it('does not change the umask', async () => {
    const modeOfFile = (name: string) => {
      writeFileSync(join(fixture.directory, name), '');
      return statSync(join(fixture.directory, name)).mode;
    };
    const before = modeOfFile('before');
    await fixture.open();
    expect(modeOfFile('after')).toBe(before);
  });

  it('is removed when the console closes, and clients are disconnected', async () => {
    const opened = await fixture.open();
    const peer = await fixture.connect();
    await peer.hears(/^>INFO:/);
    await opened.close();
    await peer.isDisconnected();
    expect(() => statSync(fixture.config.socket)).toThrow('ENOENT');
  });

  it('replaces the socket of a daemon that died', async () => {
    const dead = createServer().listen(fixture.config.socket);
    await once(dead, 'listening');
    // a second name, because closing removes the first
    const kept = join(fixture.directory, 'kept');
    linkSync(fixture.config.socket, kept);
    dead.close();
    await once(dead, 'close');
    renameSync(kept, fixture.config.socket);
    await fixture.open();
    expect(await fixture.talk('mptcp status')).toContain('2 sessions');
  });

  it('does not replace the socket of a running daemon', async () => {
    await fixture.open();
    await expect(fixture.open()).rejects.toThrow(
      `another subflowd serves ${fixture.config.socket}: stop it first, or set [console] socket`,
    );
    expect(await fixture.talk('mptcp status')).toContain('2 sessions');
  });

  it.each([
    [
      'a file',
      (path: string) => {
        writeFileSync(path, 'precious');
      },
    ],
    [
      'a directory',
      (path: string) => {
        mkdirSync(path);
      },
    ],
    [
      'a link',
      (path: string) => {
        symlinkSync('/nowhere', path);
      },
    ],
  ])('does not replace %s', async (_, make) => {
    make(fixture.config.socket);
    await expect(fixture.open()).rejects.toThrow(
      `${fixture.config.socket} exists and is not a socket: remove it`,
    );
  });

  it('is named in the error if it cannot be made', async () => {
    fixture.config = { ...fixture.config, socket: join(fixture.directory, 'no/such/console.sock') };
    await expect(fixture.open()).rejects.toThrow(
      `the console socket ${fixture.config.socket} cannot be made: ENOENT`,
    );
  });
});

it('serves 64 clients, rejects one more with the reason, and serves another when one leaves', async () => {
  await fixture.open();
  const all = await Promise.all(Array.from({ length: 64 }, () => fixture.connect()));
  for (const peer of all) peer.socket.write('mptcp status\n');
  await Promise.all(all.map((peer) => peer.hears(/^END$/)));
  // clients that neither read nor leave do not take a slot
  const extra = await Promise.all(Array.from({ length: 20 }, () => fixture.connect({ allowHalfOpen: true })));
  await Promise.all(extra.map((peer) => peer.hears(/^ERROR: 64 clients are connected already/)));
  await expect(fixture.talk('help')).rejects.toThrow('64 clients are connected already');
  all[0]?.socket.end();
  await until('the slot is free', () =>
    fixture.talk('help').then(
      () => true,
      () => false,
    ),
  );
});
