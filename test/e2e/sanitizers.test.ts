import { cp, symlink } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { checkout } from '../lab/checkout.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

// This runs the unit tests of the addon with an addon that has the address and the undefined-behaviour sanitizer. It takes
// minutes, and many minutes on a busy machine.
const TIMEOUT_MS = 1_200_000;

test('the unit tests of the kernel and the addon pass with sanitizers', { timeout: TIMEOUT_MS }, async () => {
  const copy = temporaryDirectory();
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
      // Valgrind does not work with another allocator.
      '--exclude=**/instructions.test.ts',
    ],
    {
      cwd: checkout,
      all: true,
      reject: false,
      env: {
        SUBFLOWD_PREBUILD: copy,
        LD_PRELOAD: runtime,
        // Node itself does not free all its memory.
        ASAN_OPTIONS: 'detect_leaks=0',
        CI: '',
        MUTATIONS: '12000',
      },
    },
  );
  expect(all).not.toMatch(/AddressSanitizer|runtime error/);
  expect(exitCode, all).toBe(0);
  // This proves that the tests loaded the addon with sanitizers.
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
});
