import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Check } from '../../src/model/check.js';
import { needs } from '../lab/needs.js';
import { cli, cliAsNobody, cliInNamespaces, NOBODY, writeIni } from '../support/command-line.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

let directory: string;
let config: string;

beforeEach(() => {
  directory = temporaryDirectory();
  config = writeIni(directory);
});

describe('subflowd doctor', () => {
  it('reports a daemon that closes the connection instead of answering', async () => {
    const server = createServer((socket) => socket.end()).listen(join(directory, 'console.sock'));
    const { code, out } = await cli(['doctor', '--json', '-c', config]);
    server.close();
    expect(code).toBe(1);
    const daemon = (JSON.parse(out) as Check[]).find(({ name }) => name === 'daemon');
    expect(daemon).toMatchObject({ verdict: 'bad', remedy: expect.stringContaining('restart') as string });
    expect(daemon?.found).toContain('it closed the connection');
  });

  it('finishes all checks with a wrong config, and reports how to fix it', async () => {
    writeIni(directory, { lines: ['nonsense'] });
    const { code, out } = await cli(['doctor', '-c', config]);
    expect(code).toBe(1);
    expect(out).toContain(`BAD     config: ${config}:12: `);
    expect(out).toContain(`to fix it: correct ${config}, then: subflowd check`);
  });

  it('reports a console group that does not exist', async () => {
    writeIni(directory, { lines: ['group = no-such-group'] });
    const { code, out } = await cli(['doctor', '-c', config]);
    expect(code).toBe(1);
    expect(out).toContain('BAD     console: [console] names the group no-such-group, which does not exist');
    expect(out).toContain('to fix it: groupadd --system no-such-group');
  });

  describe('as another user', () => {
    needs('root');

    it('reports that it must run as root', async () => {
      const { code, out } = await cliAsNobody(['doctor', '-c', config]);
      expect(code).toBe(1);
      expect(out).toContain(`BAD     root: running as user ${NOBODY}`);
      expect(out).toContain('to fix it: run it as root: sudo subflowd doctor');
    });
  });
});

describe('on a host without', () => {
  needs('root', 'mptcp');

  const NO_MEM = 'mount -t tmpfs none /dev; mknod -m 666 /dev/null c 1 3';

  beforeEach(() => {
    config = writeIni(directory, { lines: ['[kernel]', 'backend = devmem'] });
  });

  it.each([
    ['/dev/mem', NO_MEM, 'memory', '/dev/mem does not exist', 'CONFIG_STRICT_DEVMEM=n'],
    [
      'BTF',
      'mount -t tmpfs none /sys/kernel/btf',
      'layout',
      'there is no /sys/kernel/btf/vmlinux',
      'CONFIG_DEBUG_INFO_BTF=y',
    ],
    [
      'MPTCP switched on',
      'echo 0 >/proc/sys/net/mptcp/enabled',
      'mptcp',
      'net.mptcp.enabled = 0',
      'sysctl -w net.mptcp.enabled=1',
    ],
    ['MPTCP', 'mount -t tmpfs none /proc/sys/net/mptcp', 'mptcp', 'has no MPTCP', 'CONFIG_MPTCP=y'],
  ])('%s, doctor reports the fault and how to fix it', async (_, change, name, found, remedy) => {
    const text = await cliInNamespaces(change, ['doctor', '-c', config]);
    expect([text.code, text.err]).toEqual([1, '']);
    expect(text.out).toMatch(new RegExp(`^BAD {5}${name}: .*${found}.*\\n +to fix it: .*${remedy}`, 'm'));
    const json = await cliInNamespaces(change, ['doctor', '--json', '-c', config]);
    expect([json.code, json.err]).toEqual([1, '']);
    const checks = JSON.parse(json.out) as Check[];
    expect(checks).toContainEqual({
      name,
      verdict: 'bad',
      found: expect.stringContaining(found) as string,
      remedy: expect.stringContaining(remedy) as string,
    });
    for (const check of checks) if (check.verdict === 'bad') expect(check.remedy).toBeTruthy();
    // The other checks still run.
    expect(checks.map((check) => check.name)).toEqual(
      expect.arrayContaining(['root', 'mptcp', 'layout', 'memory', 'config', 'daemon', 'server lab']),
    );
  });

  it.each([
    ['/dev/mem', NO_MEM, 'memory', 'CONFIG_DEVMEM=y'],
    ['BTF', 'mount -t tmpfs none /sys/kernel/btf', 'layout', 'CONFIG_DEBUG_INFO_BTF=y'],
  ])(
    '%s, run ends, reports the step and how to fix it, and leaves no socket behind',
    async (_, change, step, remedy) => {
      const { code, out, err } = await cliInNamespaces(change, ['run', '--single', '-c', config]);
      expect([code, out]).toEqual([1, '']);
      expect(err).toMatch(
        new RegExp(
          `^subflowd: ${step}: .*\\nto fix it: .*${remedy}.* \\(subflowd doctor checks everything\\)\\n$`,
        ),
      );
      expect(existsSync(join(directory, 'console.sock'))).toBe(false);
    },
  );

  it('a correct config, run ends with one line and no stack trace', async () => {
    writeIni(directory, { lines: ['nonsense'] });
    const { code, err } = await cliInNamespaces(NO_MEM, ['run', '--single', '-c', config]);
    expect(code).toBe(1);
    expect(err).toContain(':12: ');
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});
