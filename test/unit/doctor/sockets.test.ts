import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { parseTcp, socketKinds } from '../../../src/doctor/sockets.js';
import { needs } from '../../lab/needs.js';
import { until } from '../../support/until.js';

const started = new Set<ChildProcess>();

afterEach(async () => {
  await Promise.all([...started].map(stop));
});

async function stop(child: ChildProcess): Promise<void> {
  started.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Runs a program in Node that prints a line and then waits. */
async function run(code: string, ...wrapper: readonly string[]): Promise<{ pid: number; said: string }> {
  const command = [process.execPath, '--input-type=commonjs', '-e', code];
  const all = [...wrapper, ...command];
  const file = all.shift() ?? process.execPath;
  const child = spawn(file, all, { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  const [said] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${file}`);
  return { pid, said };
}

const TCP =
  "require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) });";
const UDP = (family: string) =>
  `require('node:dgram').createSocket('${family}').bind(0, () => { console.log('bound') });`;

describe('socketKinds', () => {
  it('of a process without sockets', async () => {
    const { pid } = await run("console.log('up'); setInterval(() => {}, 1e6)");
    expect(await socketKinds(pid)).toEqual({
      udp: 0,
      mptcpListeners: 0,
      plainListeners: 0,
      plainPeers: [],
      tun: false,
    });
  });

  it.each(['udp4', 'udp6'])('of a %s socket', async (family) => {
    const { pid } = await run(UDP(family));
    expect(await socketKinds(pid)).toMatchObject({ udp: 1, mptcpListeners: 0, plainListeners: 0 });
  });

  it('of a plain TCP listener', async () => {
    const { pid } = await run(TCP);
    expect(await socketKinds(pid)).toMatchObject({ udp: 0, mptcpListeners: 0, plainListeners: 1 });
  });

  it('counts only sockets of the process itself', async () => {
    await run(UDP('udp4'));
    await run(TCP);
    const { pid } = await run(TCP);
    expect(await socketKinds(pid)).toMatchObject({ udp: 0, plainListeners: 1 });
  });

  describe('with MPTCP', () => {
    needs('mptcp', 'openvpn');

    it('of a listener under mptcpize', async () => {
      const { pid } = await run(TCP, 'mptcpize', 'run');
      expect(await socketKinds(pid)).toMatchObject({ udp: 0, mptcpListeners: 1, plainListeners: 0 });
    });

    it('leaves out plain TCP connections from this host', async () => {
      const { pid, said } = await run(TCP, 'mptcpize', 'run');
      await run(`require('node:net').connect(${said}, '127.0.0.1', () => { console.log('connected') });`);
      expect((await socketKinds(pid)).plainPeers).toEqual([]);
    });
  });

  describe('with TUN', () => {
    needs('root', 'tun');

    it('finds out whether the process has /dev/net/tun open', async () => {
      const open =
        "require('node:fs').openSync('/dev/net/tun', 'r+'); console.log('open'); setInterval(() => {}, 1e6)";
      const { pid } = await run(open);
      expect((await socketKinds(pid)).tun).toBe(true);
    });
  });

  it('throws if the process is gone', async () => {
    const { pid } = await run("console.log('up'); setInterval(() => {}, 1e6)");
    await Promise.all([...started].map(stop));
    await until('it is gone', () => !existsSync(`/proc/${pid}`));
    await expect(socketKinds(pid)).rejects.toThrow('ENOENT');
  });
});

describe('parseTcp', () => {
  it('reads states, peers, inodes and whether it is MPTCP', () => {
    const text = [
      'LISTEN    0      128    127.0.0.1:53133   0.0.0.0:*     ino:297910 sk:100d cgroup:/ <->\t bbr cwnd:10 tcp-ulp-mptcp',
      'ESTAB     0      0      127.0.0.1:53133 127.0.0.1:54348 users:(("a b",pid=1,fd=2)) ino:297913 sk:1 <->\t ts sack',
      'ESTAB     0      0      [::ffff:10.0.0.1]:1194 [::ffff:10.0.0.2]:5 uid:65534 ino:297914 sk:1 <->\t ts',
      'TIME-WAIT 0      0      127.0.0.1:56376 127.0.0.1:54527 timer:(timewait,26sec,0) ino:0 sk:1010',
      '',
    ].join('\n');
    expect(parseTcp(text)).toEqual([
      { state: 'LISTEN', peer: '0.0.0.0:*', inode: 297910, isMptcp: true },
      { state: 'ESTAB', peer: '127.0.0.1:54348', inode: 297913, isMptcp: false },
      { state: 'ESTAB', peer: '[10.0.0.2]:5', inode: 297914, isMptcp: false },
    ]);
  });
});
