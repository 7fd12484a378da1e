import { existsSync, mkdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { HookRecords } from '../../../../src/openvpn/records/hook-records.js';
import { isTemporaryName } from '../../../../src/openvpn/records/record.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { until } from '../../../support/until.js';

vi.setConfig({ testTimeout: 60_000 });

function content(port: number, commonName: string): string {
  return `subflowd-event=1\0daemon_pid=100\0trusted_ip=192.0.2.1\0trusted_port=${port}\0common_name=${commonName}\0end\0`;
}

it('knows the name that the plugin gives a file until it is complete', () => {
  expect(isTemporaryName('.4242-192.0.2.7-50000-1700000000-10.8.0.2')).toBe(true);
  expect(isTemporaryName('4242-192.0.2.7-50000-1700000000-10.8.0.2')).toBe(false);
  expect(isTemporaryName('.hidden')).toBe(false);
});

it('ignores a file that the plugin has not renamed yet, and removes one that it left behind', async () => {
  const events = temporaryDirectory({ mode: 0o755 });
  const directory = join(events, 'root');
  mkdirSync(directory, { mode: 0o700 });
  const present = join(directory, '.100-192.0.2.1-1');
  const old = join(directory, '.100-192.0.2.1-2-1700000000-10.8.0.2');
  writeFileSync(present, content(1, 'bob').slice(0, 40));
  writeFileSync(old, content(2, 'left behind'));
  utimesSync(old, 1_700_000_000, 1_700_000_000);
  writeFileSync(join(directory, '100-192.0.2.1-3'), content(3, 'alice'));
  const problems: string[] = [];
  const records = new HookRecords(events, { probe: () => ({ is: 'openvpn', euid: 0 }), rescanMs: 60_000 });
  records.on('problem', (text) => problems.push(text));
  const names = () => records.records().map(({ record }) => record.commonName);
  try {
    records.start();
    await until('the directory is read', () => names().join() === 'alice');
    await until('the old file is removed', () => !existsSync(old));
    expect(existsSync(present)).toBe(true);
    writeFileSync(present, content(1, 'bob'));
    renameSync(present, join(directory, '100-192.0.2.1-1'));
    await until('the renamed file is read', () => names().sort().join() === 'alice,bob');
    expect(problems).toEqual([]);
  } finally {
    records.stop();
  }
});
