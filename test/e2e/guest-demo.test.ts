import { describe, expect, test } from 'vitest';
import { labKernel } from '../lab/kernel.js';
import { needs } from '../lab/needs.js';
import { demo, SHARE } from '../support/demo.js';

describe('the demo: the paper’s experiment in a guest', () => {
  needs('guest', 'openvpn');

  test.each([
    ['6.1', 'mapped', true, []],
    ['6.1', 'byte-wise', false, ['--bytes']],
    // Byte-wise writing is refused on 6.12; guest-doctor.test.ts tests that.
    ['6.12', 'mapped', true, []],
  ] as const)(
    'moves a download to the other path and back on Linux %s, %s',
    { timeout: 1_200_000 },
    async (version, how, notifies, extra) => {
      const { bzImage } = await labKernel(version);
      const args = ['--kernel', bzImage, '--share', `${SHARE}`, ...extra];
      const { writes } = await demo(
        args,
        'devmem',
        new RegExp(`^${version.replace('.', '\\.')}\\.`),
        notifies,
      );
      expect(writes).toContain(how);
    },
  );
});
