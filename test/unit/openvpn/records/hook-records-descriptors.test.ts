import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const BUILT = resolve(import.meta.dirname, '../../../../dist/src/openvpn/records');

/**
 * Uses up all file descriptors for a while. Prints the problems and the records of that time, and the records that are known
 * when descriptors are free again.
 */
const SCRIPT = `
  import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const [directory, built] = process.argv.slice(1);
  const { HookRecords } = await import(built + '/hook-records.js');
  const { ensureEventsDirectory } = await import(built + '/events-directory.js');
  const { userOrNumber } = await import(built + '/../../util/accounts.js');
  ensureEventsDirectory(directory);
  const writeRecord = (port, name) => writeFileSync(
    directory + '/root/100-192.0.2.1-' + port,
    'subflowd-event=1\\0daemon_pid=100\\0trusted_ip=192.0.2.1\\0trusted_port=' + port + '\\0common_name=' + name + '\\0end\\0',
  );
  const problems = [];
  const records = new HookRecords(directory, { probe: () => ({ is: 'openvpn', euid: 0 }), rescanMs: 100 });
  records.on('problem', (text) => problems.push(text));
  records.start();
  writeRecord(1, 'before');
  const names = () => records.records().map(({ record }) => record.commonName).sort().join();
  for (let time = 0; time < 100 && names() !== 'before'; time++) await sleep(50);
  const opened = [];
  const takeAllDescriptors = () => {
    try {
      for (;;) opened.push(openSync('/dev/null'));
    } catch {}
  };
  takeAllDescriptors();
  mkdirSync(directory + '/late');
  // a scan that was under way gives its descriptor back later
  for (let time = 0; time < 100 && problems.length === 0; time++) {
    takeAllDescriptors();
    await sleep(50);
  }
  const user = userOrNumber(0).name;
  const meanwhile = names();
  for (const fd of opened) closeSync(fd);
  writeRecord(2, 'after');
  for (let time = 0; time < 100 && names() !== 'after,before'; time++) await sleep(50);
  records.stop();
  process.stdout.write(JSON.stringify({ problems, user, meanwhile, names: names() }));
`;

it('keeps its records while no file descriptor is free to list the directories', async () => {
  if (!existsSync(join(BUILT, 'hook-records.js'))) throw new Error(`${BUILT} is not built: npm run build`);
  const parent = mkdtempSync(join(tmpdir(), 'subflowd-descriptors-'));
  chmodSync(parent, 0o755);
  try {
    const directory = join(parent, 'events');
    const { stdout } = await promisify(execFile)(
      'prlimit',
      ['--nofile=64', process.execPath, '--input-type=module', '-e', SCRIPT, directory, BUILT],
      { timeout: 50_000 },
    );
    const printed = JSON.parse(stdout) as {
      problems: string[];
      user: string;
      meanwhile: string;
      names: string;
    };
    expect(printed.problems).toContainEqual(expect.stringMatching(/cannot read .*events: EMFILE/));
    expect(printed).toMatchObject({ user: '0', meanwhile: 'before', names: 'after,before' });
  } finally {
    rmSync(parent, { recursive: true });
  }
}, 60_000);
