import { tmpdir } from 'node:os';
import path from 'node:path';
import { defineConfig } from 'vitest/config';
import { newerOpenvpn } from './lab/openvpn/newer.js';
import { testsOfOpenvpn } from './lab/openvpn/tests.js';

const test = import.meta.dirname;

// eslint-disable-next-line no-restricted-syntax -- vitest wants its config as the default export
export default defineConfig({
  test: {
    root: path.dirname(test),
    reporters: ['default', path.join(test, 'reporter.ts')],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      // the reporter above prints a line for each directory instead of a line for each file
      reporter: [],
      reportsDirectory: path.join(tmpdir(), `subflowd-coverage-${process.pid}`),
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // No test measures time, and a busy machine can be slow.
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Two networks or guests at the same time would compete for the processors.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // A busy machine can stand still for minutes. The reporter lists the tests that passed only at the second try.
          retry: 1,
          globalSetup: [path.join(test, 'e2e/setup.ts')],
        },
      },
      {
        test: {
          name: 'openvpn-2.7',
          include: testsOfOpenvpn().map((name) => `test/e2e/${name}.test.ts`),
          env: { SUBFLOWD_TEST_OPENVPN: newerOpenvpn() },
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
          retry: 1,
          globalSetup: [path.join(test, 'e2e/setup-newer-openvpn.ts')],
        },
      },
    ],
  },
});
