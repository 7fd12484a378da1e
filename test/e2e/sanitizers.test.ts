import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { checkout } from '../lab/checkout.js';

// The addon's own tests again, on an addon built with the address and the undefined-behaviour sanitizer: minutes, and
// many on a machine that stands still.
const LONGEST = 1_200_000;

test('the walk and the commit are clean under sanitizers', { timeout: LONGEST }, async () => {
  const copy = await mkdtemp(path.join(tmpdir(), 'subflowd-sanitized-'));
  try {
    for (const name of ['binding.gyp', 'native', 'package.json']) {
      await cp(path.join(checkout, name), path.join(copy, name), { recursive: true });
    }
    await symlink(path.join(checkout, 'node_modules'), path.join(copy, 'node_modules'));
    await execa('npm', ['exec', '--offline', '-c', 'node-gyp rebuild -- -Dsanitize=1'], { cwd: copy });
    const { stdout: runtime } = await execa('gcc', ['-print-file-name=libasan.so']);
    const { exitCode, all } = await execa(
      'npx',
      [
        'vitest',
        'run',
        '--config',
        'test/vitest.config.ts',
        '--project',
        'unit',
        'test/unit/kernel',
        'test/unit/native',
        // valgrind does not go with another allocator
        '--exclude=**/instructions.test.ts',
      ],
      {
        cwd: checkout,
        all: true,
        reject: false,
        env: {
          // node-gyp-build takes the addon from there
          SUBFLOWD_PREBUILD: copy,
          LD_PRELOAD: runtime,
          // node itself keeps what it allocated
          ASAN_OPTIONS: 'detect_leaks=0',
          CI: '',
          MUTATIONS: '12000',
        },
      },
    );
    expect(all).not.toMatch(/AddressSanitizer|runtime error/);
    expect(exitCode, all).toBe(0);
    // proof that it was the sanitized one
    const loaded = await execa(
      'node',
      [
        '-e',
        'require("node-gyp-build")(process.cwd()); console.log(require("fs").readFileSync("/proc/self/maps", "utf8"))',
      ],
      {
        cwd: checkout,
        env: { SUBFLOWD_PREBUILD: copy, LD_PRELOAD: runtime, ASAN_OPTIONS: 'detect_leaks=0' },
      },
    );
    expect(loaded.stdout).toContain(`${copy}/build/Release/subflowd.node`);
  } finally {
    await rm(copy, { recursive: true });
  }
});
