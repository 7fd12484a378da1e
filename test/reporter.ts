import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { coverageTable, type CoverageMap } from './coverage.js';

/**
 * Lists what was skipped and why, and what only a second try passed and how the first ended, and then one plain line of
 * totals. With CI set a skip is a failure. With `--coverage`, the table of {@link coverageTable} follows.
 */
// eslint-disable-next-line no-restricted-syntax -- vitest loads a reporter by its default export
export default class TotalsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: ReturnType<TestCase['result']>['state']): TestCase[] =>
      tests.filter((one) => one.result().state === state);
    const skipped = inState('skipped');
    for (const one of skipped) {
      const result = one.result();
      const why = 'note' in result && result.note !== undefined ? result.note : 'no reason given';
      console.log(`SKIPPED ${one.module.relativeModuleId} > ${one.fullName}: ${why}`);
    }
    for (const one of tests.filter((test) => test.diagnostic()?.flaky === true)) {
      const first = one.result().errors?.[0]?.message ?? 'no error was kept';
      console.log(
        `AGAIN ${one.module.relativeModuleId} > ${one.fullName}: the first try ended with: ${first}`,
      );
    }
    if (skipped.length > 0 && process.env.CI !== undefined) {
      console.log('CI is set, so what was skipped counts as failed.');
      process.exitCode = 1;
    }
    const failed = inState('failed').length + modules.filter((module) => module.errors().length > 0).length;
    console.log(`\n${inState('passed').length} passed, ${failed} failed, ${skipped.length} skipped`);
  }

  onCoverage(coverage: unknown): void {
    console.log(`\n${coverageTable(coverage as CoverageMap)}`);
  }
}
