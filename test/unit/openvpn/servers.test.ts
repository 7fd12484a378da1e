import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Reports } from '../../../src/api/reports.js';
import { MAX_PROCESSES } from '../../../src/openvpn/records/process-limit.js';
import { Servers } from '../../../src/openvpn/servers.js';
import { Backoff } from '../../../src/util/backoff.js';
import { FakeOpenvpn } from '../../support/fake-openvpn.js';
import { until } from '../../support/until.js';

let directory: string;
let servers: Servers;
let reports: Reports;
let openvpn: FakeOpenvpn | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-servers-'));
  reports = new Reports();
  servers = new Servers([section('a')], {
    events: { probe: () => ({ is: 'openvpn', euid: 0 }), rescanMs: 100 },
    server: {
      probe: () => ({ is: 'openvpn', euid: 0 }),
      management: { backoff: new Backoff(20, 50) },
      pollMs: 100,
    },
    unassignedMs: 50,
  });
  // as the daemon does
  servers
    .on('problem', (text, key) => {
      reports.add(text, key, Date.now());
    })
    .on('resolved', (key) => {
      reports.resolve(key);
    });
});

afterEach(() => {
  servers.stop();
  openvpn?.close();
  openvpn = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** The `[openvpn NAME]` section of a server. */
function section(name: string) {
  return { name, events: join(directory, 'events'), management: { socket: join(directory, name) } };
}

/** The texts of all reports that are shown now. */
function texts(): string {
  return reports
    .all(Date.now())
    .map(({ text }) => text)
    .join('\n');
}

it('reports that OpenVPN does not run, until it does', async () => {
  const start = Date.now();
  servers.start();
  await until('a report', () => texts().includes('is not available: there is no such socket'));
  expect(reports.all(Date.now())[0]?.since).toBeGreaterThanOrEqual(start);
  openvpn = await FakeOpenvpn.listen(join(directory, 'a'));
  openvpn.status = ['END'];
  await until('no report', () => texts() === '');
  openvpn.close();
  await until('a report again', () => texts().includes('is not available'));
});

it('reports what OpenVPN waits for, until it gets it', async () => {
  openvpn = await FakeOpenvpn.listen(join(directory, 'a'));
  openvpn.status = ['END'];
  servers.start();
  const [server] = servers.servers();
  await until('it is connected', () => server?.management?.isReady === true);
  openvpn.tell('>HOLD:Waiting for hold release:0');
  await until('a report', () => texts().includes('waits for a management client to release it'));
  server?.management?.ask({ text: 'hold release', endings: ['line'] }, () => undefined);
  await until('no report', () => texts() === '');
});

it('reports an unreadable status, a process without a section and a foreign file until they are gone', async () => {
  openvpn = await FakeOpenvpn.listen(join(directory, 'a'));
  openvpn.status = ['HEADER\tCLIENT_LIST\tCommon Name\tReal Address', 'CLIENT_LIST\tbob\tnowhere', 'END'];
  servers.start();
  await until('a report', () => texts().includes('cannot read the line'));
  openvpn.status = ['END'];
  await until('no report', () => texts() === '');
  const unassigned = join(directory, 'events/root/77-192.0.2.1-1');
  writeFileSync(
    unassigned,
    'subflowd-event=1\0daemon_pid=77\0trusted_ip=192.0.2.1\0trusted_port=1\0common_name=x\0end\0',
  );
  await until('a report', () => texts().includes('OpenVPN process 77'));
  rmSync(unassigned);
  await until('no report', () => texts() === '');
  const foreign = join(directory, 'events/root/notes.txt');
  writeFileSync(foreign, '');
  await until('a report', () => texts().includes('no hook gives such a name'));
  rmSync(foreign);
  await until('no report', () => texts() === '');
});

it('resolves the problems of a server that is removed from the config', async () => {
  servers.start();
  await until('a report', () => texts().includes(join(directory, 'a')));
  servers.reconfigure([section('b')]);
  await until('its report is resolved', () => !texts().includes(join(directory, 'a')));
  await until('the other server is reported', () => texts().includes(join(directory, 'b')));
});

it('reads the records of 16 processes in one directory, and reports more while there are more', async () => {
  expect(MAX_PROCESSES).toBe(16);
  servers.reconfigure([{ name: 'a', events: join(directory, 'events') }]);
  const user = join(directory, 'events', 'root');
  mkdirSync(user, { recursive: true });
  const writeRecord = (pid: number, port: number) => {
    const path = join(user, `${pid}-192.0.2.7-${port}`);
    writeFileSync(
      path,
      `subflowd-event=1\0daemon_pid=${pid}\0trusted_ip=192.0.2.7\0trusted_port=${port}\0common_name=x\0end\0`,
    );
    return path;
  };
  const pids = () => servers.servers()[0]?.pids() ?? [];
  for (let pid = 100; pid < 116; pid++) writeRecord(pid, 1000 + pid);
  await until('all are known', () => pids().length === 16);
  const further = writeRecord(200, 2000);
  await until('a report', () => texts().includes('has records of more than 16 processes'));
  expect(pids()).not.toContain(200);
  // another session of one of the 16 processes is read
  writeRecord(100, 3000);
  await until('it is known', () => servers.sessions().length === 17);
  rmSync(further);
  await until('no report', () => texts() === '');
  expect(pids()).toHaveLength(16);
});
