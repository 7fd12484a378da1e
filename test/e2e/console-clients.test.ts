import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../lab/needs.js';
import { LoopbackVpn } from '../support/openvpn.js';
import { Office } from '../support/office.js';
import { Talker } from '../support/talker.js';
import { freePort } from '../support/free-port.js';
import { until } from '../support/until.js';

// not timed: each wait has its own bound

const load = createRequire(import.meta.url);
const RELAY = resolve(import.meta.dirname, '../../dist/test/support/relay.js');

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let office: Office | undefined;

beforeEach(async () => {
  vpn = await LoopbackVpn.create();
});

afterEach(async () => {
  await office?.close();
  office = undefined;
  await vpn.destroy();
});

function at(name: string): string {
  return join(vpn.directory, name);
}

/** The console on TCP, with a password if there is a file of it. */
async function onTcp(passwordFile?: string): Promise<number> {
  await vpn.server({ management: at('m') });
  const port = await freePort();
  office = await Office.open(vpn, {
    console: {
      socket: at('office.sock'),
      listen: { host: '127.0.0.1', port },
      ...(passwordFile !== undefined && { passwordFile }),
    },
  });
  return port;
}

describe('programs that nobody here wrote', () => {
  it('nc, at the socket', async () => {
    await onTcp();
    const { stdout } = await execa('nc', ['-U', '-N', at('office.sock')], {
      input: 'pid\nstatus 2\nhelp\nmptcp paths\n',
    });
    expect(stdout).toContain('SUCCESS: pid=');
    expect(stdout.match(/^END\r?$/gm)).toHaveLength(3);
    expect(stdout).toContain('Management Interface for OpenVPN');
  });

  it('telnet, with the password, and three tries for it', async () => {
    writeFileSync(at('pw'), 'open sesame\n');
    const port = await onTcp(at('pw'));
    const said = async (...lines: readonly string[]) => {
      const telnet = execa('telnet', ['127.0.0.1', String(port)], { reject: false, timeout: 20_000 });
      for (const line of lines) {
        await sleep(300);
        telnet.stdin.write(`${line}\n`);
      }
      return (await telnet).stdout;
    };
    const told = await said('open sesame', 'pid', 'exit');
    expect(told).toContain('ENTER PASSWORD:SUCCESS: password is correct');
    expect(told).toMatch(/>INFO:OpenVPN Management Interface[^]*SUCCESS: pid=\d+/);
    const refused = await said('pid', 'status 3', 'exit');
    expect(refused.match(/ENTER PASSWORD:ERROR: bad password/g)).toHaveLength(3);
    expect(refused).not.toMatch(/pid=|>INFO|TITLE/);
  });

  it('telnet-openvpn', async () => {
    interface TelnetVpn {
      on(event: 'data' | 'connect', take: (data: unknown) => void): void;
      connect(options: object): Promise<unknown>;
      exec(command: string): Promise<unknown>;
      destroy(): Promise<unknown>;
    }
    const port = await onTcp();
    const TelnetOpenvpn = load('telnet-openvpn') as new () => TelnetVpn;
    const client = new TelnetOpenvpn();
    const heard: unknown[] = [];
    let connected = 0;
    client.on('data', (data) => heard.push(data));
    client.on('connect', () => (connected += 1));
    await client.connect({
      host: '127.0.0.1',
      port,
      shellPrompt: '',
      negotiationMandatory: false,
      timeout: 500,
    });
    await until('it is connected', () => connected === 1);
    await client.exec('pid');
    await until('the pid', () =>
      heard.some((each) => typeof each === 'object' && each !== null && 'pid' in each),
    );
    await client.exec('state on');
    office?.servers
      .servers()[0]
      ?.management?.ask({ text: 'signal SIGUSR1', endings: ['line'] }, () => undefined);
    await until('it is told of a state', () => JSON.stringify(heard).includes('RECONNECTING'));
    await client.destroy();
  });

  it('node-openvpn', async () => {
    interface NodeOpenvpn {
      connect(options: object): { on(event: 'connected', take: () => void): void };
      cmd(command: string): Promise<unknown>;
      destroy(): void;
    }
    const port = await onTcp();
    const client = load('node-openvpn') as NodeOpenvpn;
    let connected = 0;
    client
      .connect({ host: '127.0.0.1', port, negotiationMandatory: false, timeout: 500 })
      .on('connected', () => (connected += 1));
    await until('it is connected: log, state, pid, bytecount and hold are answered', () => connected === 1);
    // its own telnet library gives the answer's text here, the one that can be installed an error or none
    expect(await client.cmd('load-stats')).toBeNull();
    client.destroy();
  });
});

/** Starts {@link file://../support/relay.ts}. */
async function relay(from: string, to: string): Promise<{ times: () => number[]; close: () => void }> {
  const child = execa(process.execPath, [RELAY, from, to], { reject: false, buffer: false });
  const times: number[] = [];
  createInterface(child.stdout).on('line', (line) => times.push(Number(line)));
  await until('the relay listens', () => existsSync(from));
  return { times: () => times.splice(0), close: () => child.kill() };
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** Asks `status 3`, `pid` and `version` in turn until told to stop, at least three times, and looks at each answer. */
async function poll(talker: Talker, everyMs: number, isOver: () => boolean): Promise<number> {
  let lastTime = 0;
  await sleep(Math.random() * everyMs);
  let count = 0;
  while (!isOver() || count < 3) {
    const from = talker.lines.length;
    talker.say('status 3\npid\nversion');
    const answered = () => talker.lines.slice(from).filter((line) => !line.startsWith('>'));
    await until('three answers', () => answered().at(-1) === 'END' && answered().at(-2)?.startsWith('Management Version:'), 60_000);
    const lines = answered();
    const end = lines.indexOf('END');
    const [title, time, header, ...rows] = lines.slice(0, end);
    expect(title).toMatch(/^TITLE\tOpenVPN/);
    expect(header).toMatch(/^HEADER\tCLIENT_LIST\t/);
    expect(rows.at(-1)).toMatch(/^GLOBAL_STATS\t/);
    for (const row of rows) expect(row.split('\t').length).toBe(columns(row, header ?? ''));
    expect(lines.slice(end + 1).map((line) => line.slice(0, 12))).toEqual([
      'SUCCESS: pid',
      'OpenVPN Vers',
      'Management V',
      'END',
    ]);
    const now = Number(time?.split('\t')[2]);
    expect(now).toBeGreaterThanOrEqual(lastTime);
    lastTime = now;
    count += 1;
    talker.lines.length = 0;
    await sleep(everyMs);
  }
  return count;
} // prettier-ignore

function columns(row: string, header: string): number {
  const [kind] = row.split('\t');
  if (kind === 'CLIENT_LIST') return header.split('\t').length - 1;
  return { HEADER: 7, ROUTING_TABLE: 6, GLOBAL_STATS: 3 }[kind ?? ''] ?? 0;
}

describe('50 clients that poll status 3 while 100 sessions come and go', () => {
  it('have every answer whole and in order, and ask no more of OpenVPN than they ask', async () => {
    await vpn.server({ management: at('real') });
    const measured = await relay(at('m'), at('real'));
    const stay = await Promise.all(Array.from({ length: 5 }, (_, n) => vpn.client(`stays${n}`)));
    const visit = async (batches: number) => {
      for (let batch = 0; batch < batches; batch++) {
        const clients = await Promise.all(Array.from({ length: 10 }, (_, n) => vpn.client(`v${batch}-${n}`)));
        await Promise.all(clients.map((each) => each.kill()));
      }
    };
    // as many questions in a second, of one who asks OpenVPN itself and of fifty at the console
    const direct = await Talker.connect(at('m'));
    await until('the password is asked for', () => direct.prompt === 'ENTER PASSWORD:');
    direct.say('sesame and lilies');
    await direct.hears(/^>INFO/);
    let isOver = false;
    await Promise.all([poll(direct, 20, () => isOver), visit(5).finally(() => (isOver = true))]);
    direct.close();
    const alone = measured.times();
    office = await Office.open(vpn);
    const talkers = await Promise.all(Array.from({ length: 50 }, () => office?.join() as Promise<Talker>));
    measured.times();
    isOver = false;
    const [counts] = await Promise.all([
      Promise.all(talkers.map((talker) => poll(talker, 1_000, () => isOver))),
      visit(10).finally(() => (isOver = true)),
    ]);
    const shared = measured.times();
    const ratio = median(shared) / median(alone);
    console.log(
      `OpenVPN's answer to status 3, median: ${median(alone).toFixed(2)} ms to one direct client (${alone.length}), ` +
        `${median(shared).toFixed(2)} ms with 50 at the console (${shared.length}, for ${counts.reduce((a, b) => a + b)} ` +
        `answers): ratio ${ratio.toFixed(2)}`,
    );
    expect(shared.length).toBeLessThanOrEqual(counts.reduce((a, b) => a + b));
    await Promise.all(stay.map((each) => each.kill()));
    measured.close();
  });
});
