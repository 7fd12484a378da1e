import { once } from 'node:events';
import {
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConsoleConfig } from '../../../../src/config/config.js';
import { CLIENT_LIMITS } from '../../../../src/console/listen/client-connection.js';
import { Console } from '../../../../src/console/listen/console.js';
import { talk } from '../../../../src/console/terminal/talk.js';
import { Talker, type TalkerOptions } from '../../../support/talker.js';
import { until } from '../../../support/until.js';
import { client, Steered } from '../steered.js';

let directory: string;
let config: ConsoleConfig;
let daemon: Steered;
let consoles: Console[];
let peers: Talker[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  config = { socket: join(directory, 'console.sock'), mode: 0o660, overrides: join(directory, 'overrides') };
  daemon = new Steered(config.overrides, [client('alice'), client('bob')]);
  consoles = [];
  peers = [];
});
afterEach(async () => {
  for (const peer of peers) peer.close();
  await Promise.all(consoles.map((each) => each.close()));
  rmSync(directory, { recursive: true });
});

async function open(limits = CLIENT_LIMITS): Promise<Console> {
  const opened = await Console.open(config, { daemon }, limits);
  consoles.push(opened);
  return opened;
}

/** A console client that the end of the test closes. */
async function connect(options?: TalkerOptions): Promise<Talker> {
  const talker = await Talker.connect(config.socket, options);
  peers.push(talker);
  return talker;
}

/** Makes the daemon have so many clients that an answer does not fit in the buffers of a socket. */
function addManyClients(): void {
  daemon.clients = Array.from({ length: 2000 }, (_, n) => client(`client ${n}`));
}

function canGiveFilesTo(gid: number): boolean {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  try {
    chownSync(file, -1, gid);
    return true;
  } catch {
    return false;
  }
}

describe('the socket', () => {
  it.each([0o600, 0o660, 0o666])('has the mode of the config: %o', async (mode) => {
    config = { ...config, mode };
    await open();
    expect(statSync(config.socket).mode & 0o7777).toBe(mode);
  });

  it('has the group of the config', async () => {
    const groups = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
    const [group = '', , gid] = groups.find(([, , id]) => id !== undefined && id !== '0') ?? [];
    config = { ...config, group };
    // only root may give files to any group
    if (canGiveFilesTo(Number(gid))) {
      await open();
      expect(statSync(config.socket).gid).toBe(Number(gid));
    } else {
      await expect(open()).rejects.toThrow('cannot be made: EPERM');
    }
  });

  it('is not created if its group does not exist', async () => {
    config = { ...config, group: 'no-such-group' };
    await expect(open()).rejects.toThrow(
      'there is no group no-such-group: make it (groupadd no-such-group) or change [console] group',
    );
    expect(() => statSync(config.socket)).toThrow('ENOENT');
  });

  it('does not change the umask', async () => {
    const modeOfFile = (name: string) => {
      writeFileSync(join(directory, name), '');
      return statSync(join(directory, name)).mode;
    };
    const before = modeOfFile('before');
    await open();
    expect(modeOfFile('after')).toBe(before);
  });

  it('is removed when the console closes, and clients are disconnected', async () => {
    const opened = await open();
    const peer = await connect();
    await peer.hears(/^>INFO:/);
    await opened.close();
    await peer.isDisconnected();
    expect(() => statSync(config.socket)).toThrow('ENOENT');
  });

  it('replaces the socket of a daemon that died', async () => {
    const dead = createServer().listen(config.socket);
    await once(dead, 'listening');
    // a second name, because closing removes the first
    const kept = join(directory, 'kept');
    linkSync(config.socket, kept);
    dead.close();
    await once(dead, 'close');
    renameSync(kept, config.socket);
    await open();
    expect(await talk(config.socket, 'mptcp status')).toContain('2 sessions');
  });

  it('does not replace the socket of a running daemon', async () => {
    await open();
    await expect(open()).rejects.toThrow(
      `another subflowd serves ${config.socket}: stop it first, or set [console] socket`,
    );
    expect(await talk(config.socket, 'mptcp status')).toContain('2 sessions');
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
    make(config.socket);
    await expect(open()).rejects.toThrow(`${config.socket} exists and is not a socket: remove it`);
  });

  it('is named in the error if it cannot be made', async () => {
    config = { ...config, socket: join(directory, 'no/such/console.sock') };
    await expect(open()).rejects.toThrow(`the console socket ${config.socket} cannot be made: ENOENT`);
  });
});

describe('a console client', () => {
  it('gets a greeting, and answers in the order of its commands', async () => {
    await open();
    let release: (() => void) | undefined;
    daemon.round = new Promise((resolve) => (release = resolve));
    const peer = await connect();
    peer.socket.write('mptcp primary alice lte\nnonsense\r\nmptcp primary bob moon\nmptcp st');
    await peer.hears(/^>INFO:/);
    await until('the first command runs', () => 'lab/alice' in daemon.status().overrides);
    expect(peer.text).not.toContain('ERROR');
    release?.();
    peer.socket.write('atus json\nexit\nhelp\n');
    await peer.isDisconnected();
    expect(peer.text.split('\r\n').map((line) => line.slice(0, 24))).toEqual([
      '>INFO:subflowd console -',
      'SUCCESS: lab/alice: pend',
      'ERROR: unknown command "',
      'ERROR: there is no path ',
      '{"version":"0.1.0","kern',
      'END',
      '',
    ]);
  });

  it('gets its answers after it has closed its end', async () => {
    await open();
    // a round takes this long
    daemon.round = sleep(100);
    const peer = await connect({ allowHalfOpen: true });
    peer.socket.end('mptcp primary alice lte\nmptcp status\n');
    await peer.isDisconnected();
    expect(peer.text).toContain('SUCCESS: lab/alice');
    expect(peer.text.endsWith('END\r\n')).toBe(true);
  });

  it('can disconnect in the middle of a command without an effect on others', async () => {
    await open();
    let release: (() => void) | undefined;
    daemon.round = new Promise((resolve) => (release = resolve));
    const busy = await connect();
    busy.socket.write('mptcp primary alice lte\n');
    const partial = await connect();
    partial.socket.write('mptcp stat');
    await until('the command runs', () => 'lab/alice' in daemon.status().overrides);
    busy.socket.destroy();
    partial.socket.destroy();
    release?.();
    expect(await talk(config.socket, 'mptcp status')).toContain('2 sessions');
  });

  it('may send a line of 4096 bytes, and is disconnected with the reason if it sends a longer one', async () => {
    await open();
    const peer = await connect();
    peer.socket.write(`${'x'.repeat(4096)}\n`);
    await peer.hears(/^ERROR: unknown command/);
    peer.socket.write('x'.repeat(4097));
    await peer.isDisconnected();
    expect(peer.text.endsWith('ERROR: a line is longer than 4096 bytes\r\n')).toBe(true);
  });

  it('can read the reason after it has sent a megabyte without a line end', async () => {
    await open();
    const peer = await connect();
    peer.socket.write(Buffer.alloc(1 << 20, 'x'));
    await peer.isDisconnected();
    expect(peer.text).toContain('ERROR: a line is longer than 4096 bytes');
    expect(peer.error).toBeUndefined();
  });

  it('is disconnected with the reason, after its answers, if too many commands wait', async () => {
    await open();
    // a round takes this long
    daemon.round = sleep(300);
    const peer = await connect();
    peer.socket.write(`mptcp primary alice lte\n${'x\n'.repeat(1500)}`);
    await peer.isDisconnected();
    expect(peer.text).toContain('SUCCESS: lab/alice');
    expect(peer.text.endsWith('ERROR: more than 1000 commands wait for their answers\r\n')).toBe(true);
  });

  it('is disconnected with the reason if it does not read, without an effect on others', async () => {
    await open({ ...CLIENT_LIMITS, unreadMs: 500, leaveMs: 20_000 });
    addManyClients();
    let answered = 0;
    const status = daemon.status();
    daemon.status = () => {
      answered++;
      return status;
    };
    const peer = await connect({ read: false });
    peer.socket.write('mptcp status json\n'.repeat(20));
    await until('the first answer is due', () => answered === 1);
    const before = performance.now();
    expect(await talk(config.socket, 'help', 400)).toContain('mptcp help                    this list');
    expect(performance.now() - before).toBeLessThan(400);
    // the unread answer blocks the next ones: one answer is made, not twenty
    expect(answered).toBe(1);
    // longer than `unreadMs`: a client that does not read sees no event
    await sleep(800);
    peer.read();
    await peer.isDisconnected();
    expect(answered).toBe(1);
    expect(peer.text.endsWith('\r\nEND\r\nERROR: an answer was not read for 0.5 s\r\n')).toBe(true);
  });

  it('is disconnected if it never reads', async () => {
    await open({ ...CLIENT_LIMITS, unreadMs: 300, leaveMs: 300 });
    addManyClients();
    const peer = await connect({ read: false });
    peer.socket.write('mptcp status json\n');
    // longer than `unreadMs` and `leaveMs`: a client that does not read sees no event
    await sleep(5_000);
    peer.read();
    await until('the console disconnects it', () => peer.closed);
    expect(peer.text).not.toContain('ERROR');
  });

  it('gets everything if it reads late', async () => {
    await open();
    addManyClients();
    const peer = await connect({ read: false });
    peer.socket.write('mptcp status json\nmptcp status json\nexit\n');
    // shorter than `unreadMs`
    await sleep(200);
    peer.read();
    await peer.isDisconnected();
    expect(peer.text.match(/\r\nEND\r\n/g)).toHaveLength(2);
  });

  it('is disconnected if it does not close its end', async () => {
    await open({ ...CLIENT_LIMITS, leaveMs: 100 });
    const peer = await connect({ allowHalfOpen: true });
    peer.socket.write('exit\n');
    await peer.isDisconnected();
    await until('writing fails', () => {
      if (!peer.closed) peer.socket.write('x\n');
      return peer.error?.code === 'EPIPE';
    });
  });
});

it('serves 64 clients, rejects one more with the reason, and serves another when one leaves', async () => {
  await open();
  const all = await Promise.all(Array.from({ length: 64 }, () => connect()));
  for (const peer of all) peer.socket.write('mptcp status\n');
  await Promise.all(all.map((peer) => peer.hears(/^END$/)));
  // clients that neither read nor leave do not take a slot
  const extra = await Promise.all(Array.from({ length: 20 }, () => connect({ allowHalfOpen: true })));
  await Promise.all(extra.map((peer) => peer.hears(/^ERROR: 64 clients are connected already/)));
  await expect(talk(config.socket, 'help')).rejects.toThrow('64 clients are connected already');
  all[0]?.socket.end();
  await until('the slot is free', () =>
    talk(config.socket, 'help').then(
      () => true,
      () => false,
    ),
  );
});
