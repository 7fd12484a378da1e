import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { coverageTable, type CoverageMap } from './coverage.js';

/**
 * Lists the skipped tests with the reasons, and the tests that passed only at the second try with the error of the first.
 * A line with the totals follows. If CI is set, a skipped test is a failure. With `--coverage`, the table of
 * {@link coverageTable} is last.
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
      const reason = 'note' in result && result.note !== undefined ? result.note : 'no reason given';
      console.log(`SKIPPED ${one.module.relativeModuleId} > ${one.fullName}: ${reason}`);
    }
    for (const one of tests.filter((test) => test.diagnostic()?.flaky === true)) {
      const first = one.result().errors?.[0]?.message ?? 'unknown error';
      console.log(
        `PASSED AT THE SECOND TRY ${one.module.relativeModuleId} > ${one.fullName}: the first try failed: ${first}`,
      );
    }
    if (skipped.length > 0 && process.env.CI !== undefined) {
      console.log('CI is set, so skipped tests count as failed.');
      process.exitCode = 1;
    }
    const failed = inState('failed').length + modules.filter((module) => module.errors().length > 0).length;
    console.log(`\n${inState('passed').length} passed, ${failed} failed, ${skipped.length} skipped`);
  }

  onCoverage(coverage: unknown): void {
    console.log(`\n${coverageTable(coverage as CoverageMap)}`);
  }
}
