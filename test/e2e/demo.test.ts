import { release } from 'node:os';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { labScript } from '../lab/checkout.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { demo } from '../support/demo.js';

describe('the demo: the paper’s experiment on this machine’s own kernel', () => {
  needs(...networkNeeds);

  test('moves a download to the other path and back, through netlink', async () => {
    const { paths } = await demo(['--backend', 'netlink'], 'netlink', new RegExp(`^${release()}$`), true);
    // The rates of the paper.
    expect(paths.map(({ rateMbit }) => rateMbit)).toEqual([20, 20]);
  });

  test('is refused without CAP_NET_ADMIN, and the error names the command that works', async () => {
    const demo = [process.execPath, labScript('demo'), '--backend', 'netlink', '--out', '/nonexistent'];
    const { exitCode, stderr } = await execa(
      'setpriv',
      ['--bounding-set=-net_admin', '--inh-caps=-net_admin', ...demo],
      {
        reject: false,
      },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/this machine cannot run it: netlink: .*CAP_NET_ADMIN/);
    expect(stderr).toContain('npm run demo -- --backend devmem');
  });
});
