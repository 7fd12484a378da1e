import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../lab/needs.js';
import { freePort } from '../support/free-port.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import { Office } from '../support/office.js';
import { Talker } from '../support/talker.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

const load = createRequire(import.meta.url);
const RELAY = resolve(import.meta.dirname, '../../dist/test/support/relay.js');

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let office: Office;

beforeEach(async () => {
  vpn = await vpnForTest();
});

/** Opens the console on TCP, with a password if a file is given. @returns its port. */
async function openOnTcp(passwordFile?: string): Promise<number> {
  await vpn.server({ management: vpn.at('m') });
  const port = await freePort();
  office = await Office.open(vpn, [
    {
      console: {
        socket: vpn.at('office.sock'),
        listen: { host: '127.0.0.1', port },
        ...(passwordFile !== undefined && { passwordFile }),
      },
    },
  ]);
  return port;
}

describe('clients written by others work at the console', () => {
  it('nc, at the socket', async () => {
    await openOnTcp();
    const { stdout } = await execa('nc', ['-U', '-N', vpn.at('office.sock')], {
      input: 'pid\nstatus 2\nhelp\nmptcp paths\n',
    });
    expect(stdout).toContain('SUCCESS: pid=');
    expect(stdout.match(/^END\r?$/gm)).toHaveLength(3);
    expect(stdout).toContain('Management Interface for OpenVPN');
  });

  it('telnet, with three tries for the password', async () => {
    writeFileSync(vpn.at('pw'), 'open sesame\n');
    const port = await openOnTcp(vpn.at('pw'));
    /** Types each line when telnet has printed something that ends with its prompt. @returns all that telnet printed. */
    const type = async (...dialogue: readonly (readonly [prompt: RegExp, line: string])[]) => {
      const telnet = execa('telnet', ['127.0.0.1', String(port)], { reject: false, timeout: 60_000 });
      let printed = '';
      let read = 0;
      telnet.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      for (const [prompt, line] of dialogue) {
        await until(`${String(prompt)} from telnet`, () => prompt.test(printed.slice(read)));
        read = printed.length;
        telnet.stdin.write(`${line}\n`);
      }
      return (await telnet).stdout;
    };
    const accepted = await type(
      [/ENTER PASSWORD:/, 'open sesame'],
      [/>INFO:OpenVPN Management Interface/, 'pid'],
      [/SUCCESS: pid=/, 'exit'],
    );
    expect(accepted).toContain('ENTER PASSWORD:SUCCESS: password is correct');
    expect(accepted).toMatch(/>INFO:OpenVPN Management Interface[^]*SUCCESS: pid=\d+/);
    const refused = await type(
      [/ENTER PASSWORD:/, 'pid'],
      [/ENTER PASSWORD:/, 'status 3'],
      [/ENTER PASSWORD:/, 'exit'],
    );
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
    const port = await openOnTcp();
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
    await until('telnet-openvpn is connected', () => connected === 1);
    await client.exec('pid');
    await until('the answer to pid arrived', () =>
      heard.some((each) => typeof each === 'object' && each !== null && 'pid' in each),
    );
    await client.exec('state on');
    office.management.ask({ text: 'signal SIGUSR1', endings: ['line'] }, () => undefined);
    await until('the state arrived', () => JSON.stringify(heard).includes('RECONNECTING'));
    await client.destroy();
  });

  it('node-openvpn', async () => {
    interface NodeOpenvpn {
      connect(options: object): { on(event: 'connected', take: () => void): void };
      cmd(command: string): Promise<unknown>;
      destroy(): void;
    }
    const port = await openOnTcp();
    const client = load('node-openvpn') as NodeOpenvpn;
    let connected = 0;
    client
      .connect({ host: '127.0.0.1', port, negotiationMandatory: false, timeout: 500 })
      .on('connected', () => (connected += 1));
    // node-openvpn sends log, state, pid, bytecount and hold first.
    await until('node-openvpn has its first answers', () => connected === 1);
    // With its own telnet library this would be the text of the answer; the version that can be installed gives null.
    expect(await client.cmd('load-stats')).toBeNull();
    client.destroy();
  });
});

/** Starts {@link file://../support/relay.ts}. `times` returns the answer times in milliseconds since its last call. */
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

/**
 * Sends `status 3`, `pid` and `version` in turn until `isOver`, at least three times, and checks each answer.
 * @returns how many times.
 */
async function poll(talker: Talker, everyMs: number, isOver: () => boolean): Promise<number> {
  let lastTime = 0;
  // Clients that poll do not do so at the same moment.
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
    // The pause between two polls is the load that this test makes.
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
  it('get complete answers in order, and OpenVPN is asked at most once for each question', async () => {
    await vpn.server({ management: vpn.at('real') });
    const measured = await relay(vpn.at('m'), vpn.at('real'));
    const stay = await Promise.all(Array.from({ length: 5 }, (_, n) => vpn.client(`stays${n}`)));
    const visit = async (batches: number) => {
      for (let batch = 0; batch < batches; batch++) {
        const clients = await Promise.all(Array.from({ length: 10 }, (_, n) => vpn.client(`v${batch}-${n}`)));
        await Promise.all(clients.map((each) => each.kill()));
      }
    };
    // One client of OpenVPN itself asks as many questions in a second as fifty clients of the console.
    const direct = await Talker.connect(vpn.at('m'));
    await until('OpenVPN asks for the password', () => direct.prompt === 'ENTER PASSWORD:');
    direct.say('sesame and lilies');
    await direct.hears(/^>INFO/);
    let isOver = false;
    await Promise.all([poll(direct, 20, () => isOver), visit(5).finally(() => (isOver = true))]);
    direct.close();
    const alone = measured.times();
    office = await Office.open(vpn);
    const talkers = await Promise.all(Array.from({ length: 50 }, () => office.join()));
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
