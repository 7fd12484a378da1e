import { chownSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DirectoryProblems } from '../../../../src/openvpn/records/directory-problems.js';
import type { ProcessFacts } from '../../../../src/openvpn/records/process.js';
import { RecordFiles } from '../../../../src/openvpn/records/record-files.js';
import type { ValidRecord } from '../../../../src/openvpn/records/record-table.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-records-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function record(port: number): string {
  const file = join(directory, `100-192.0.2.1-${port}`);
  const fields = ['subflowd-event=1', 'daemon_pid=100', 'trusted_ip=192.0.2.1', `trusted_port=${port}`];
  writeFileSync(file, [...fields, `common_name=client ${port}`, 'end', ''].join('\0'));
  return file;
}

it('reads a record when its process has changed to OpenVPN of the right user', () => {
  let facts: ProcessFacts = { is: 'other', exe: '/bin/sh' };
  const reports: string[] = [];
  const problems = new DirectoryProblems(directory, {
    onProblem: (text) => reports.push(text),
    onResolved: (key) => reports.push(`over: ${key}`),
  });
  const names: string[] = [];
  const listener = {
    onAdded: (known: ValidRecord) => names.push(known.record.commonName),
    onRemoved: () => undefined,
  };
  const files = new RecordFiles(directory, () => facts, problems, listener);
  const file = record(1);
  chownSync(file, 65_534, 65_534);
  const examine = () => {
    files.examine(file, new Map());
  };
  examine();
  examine();
  expect(reports.filter((text) => text.includes('process 100 is /bin/sh, not OpenVPN'))).toHaveLength(1);
  facts = { is: 'openvpn', euid: 1 };
  examine();
  expect(reports.at(-1)).toContain('it belongs to user 65534, but process 100 runs as user 1');
  expect(names).toEqual([]);
  facts = { is: 'openvpn', euid: 65_534 };
  examine();
  expect(names).toEqual(['client 1']);
  expect(reports.at(-1)).toBe(`over: ${directory} file ${file}`);
});

/** The records of the directory, and what is reported about them. @param facts of each process. */
function recordFiles(facts: () => ProcessFacts) {
  const reports: string[] = [];
  const problems = new DirectoryProblems(directory, {
    onProblem: (text) => reports.push(text),
    onResolved: () => undefined,
  });
  const ignore = { onAdded: () => undefined, onRemoved: () => undefined };
  const files = new RecordFiles(directory, facts, problems, ignore);
  return { files, reports };
}

it('gives a record the PID that its process has on this host, and changes it if another process turns out to have it', () => {
  let facts: ProcessFacts = { is: 'openvpn', euid: 0, pid: 4711 };
  const { files, reports } = recordFiles(() => facts);
  const file = record(1);
  const pids = () => {
    files.examine(file, new Map());
    return [...files.records()].map(({ record: { pid } }) => pid);
  };
  expect(pids()).toEqual([4711]);
  // the name of the file still has the PID that the process reports
  expect(files.nameOf(file)?.pid).toBe(100);
  facts = { is: 'openvpn', euid: 0, pid: 4712 };
  expect(pids()).toEqual([4712]);
  expect(files.pids()).toEqual([4712]);
  expect(reports).toEqual([]);
  facts = { is: 'ambiguous', pids: [4711, 4712] };
  expect(pids()).toEqual([]);
  expect(reports).toEqual([
    expect.stringMatching(/several OpenVPN processes report that they are process 100, .* 4711, 4712; set/),
  ]);
  facts = { is: 'openvpn', euid: 0 };
  expect(pids()).toEqual([100]);
  files.dropProcess(100);
  expect(existsSync(file)).toBe(false);
});

it('removes the record of an ended process of another PID namespace, also if a program here has its number', () => {
  let facts: ProcessFacts = { is: 'openvpn', euid: 0, pid: 4711 };
  const { files, reports } = recordFiles(() => facts);
  const file = record(1);
  files.examine(file, new Map());
  facts = { is: 'other', exe: '/usr/lib/systemd/systemd' };
  files.examine(file, new Map());
  expect(existsSync(file)).toBe(false);
  expect([...files.records()]).toEqual([]);
  expect(reports).toEqual([]);
});

it('keeps at most the allowed number of records, and reads an ignored one when there is room', () => {
  const reports: string[] = [];
  const problems = new DirectoryProblems(directory, {
    onProblem: (text) => reports.push(text),
    onResolved: () => undefined,
  });
  const ignore = { onAdded: () => undefined, onRemoved: () => undefined };
  const files = new RecordFiles(directory, () => ({ is: 'openvpn', euid: 0 }), problems, ignore, 2);
  const names = () => [...files.records()].map(({ record: { commonName } }) => commonName);
  const [first = '', second = '', third = ''] = [1, 2, 3].map(record);
  for (const file of [first, second, third]) files.examine(file, new Map());
  expect(names()).toEqual(['client 1', 'client 2']);
  expect(reports).toEqual([expect.stringContaining('already holds as many records as subflowd reads')]);

  writeFileSync(second, '');
  record(2);
  files.examine(second, new Map());
  expect(names()).toEqual(['client 1', 'client 2']);

  rmSync(first);
  files.examine(first, new Map());
  files.examine(third, new Map());
  expect(names()).toEqual(['client 2', 'client 3']);
});
