import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { surplusRights } from '../../src/surplus-rights.js';

const statusWith = (bits: string) => `Name:\tnode\nCapEff:\t${bits}\nSeccomp:\t2\n`;

it('says nothing of a daemon without capabilities', () => {
  expect(surplusRights(statusWith('0000000000000000'))).toBeUndefined();
});

it('names the drop-ins that gave capabilities to the daemon of an earlier version, and the command that moves them', () => {
  const directory = mkdtempSync(join(tmpdir(), 'subflowd-drop-ins-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true });
  });
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const namespaces = write('namespaces.conf', '[Service]\nAmbientCapabilities=CAP_SYS_ADMIN\n');
  const own = write('office.conf', '[Service]\n CapabilityBoundingSet = CAP_SYSLOG\n');
  write('memory.conf', '[Service]\nMemoryMax=1G\n# AmbientCapabilities=CAP_SYS_ADMIN\n');
  expect(surplusRights(statusWith('0000000000200000'), directory)).toBe(
    'the daemon has capabilities (0x0000000000200000) that only its helper needs; to fix it: ' +
      `mkdir -p /etc/systemd/system/subflowd-helper.service.d && mv ${namespaces} ${own} ` +
      '/etc/systemd/system/subflowd-helper.service.d && systemctl daemon-reload && ' +
      'systemctl restart subflowd-helper subflowd (docs/privileges.md, Upgrade)',
  );
});

it('names the unit if no drop-in gives the capabilities', () => {
  expect(surplusRights(statusWith('00000000000000ff'), '/does/not/exist')).toContain(
    'run it by openvpn-conf/subflowd.service',
  );
});
