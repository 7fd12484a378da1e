import { describe, expect, it } from 'vitest';
import { merge } from '../../../src/setup/merge.js';

const BEFORE = 'port 1194\nclient-connect check.sh\nverb 3\n';
const WRITTEN = 'port 1194\nclient-connect "chained check.sh"\nverb 3\n# added\nmanagement x unix\n';

describe('merge', () => {
  it.each([
    ['nothing', WRITTEN, BEFORE],
    ['a line at the end', `${WRITTEN}mute 5\n`, `${BEFORE}mute 5\n`],
    ['a line at the beginning', `# mine\n${WRITTEN}`, `# mine\n${BEFORE}`],
    [
      'a line beside a changed one',
      WRITTEN.replace('port 1194', 'port 443'),
      BEFORE.replace('port 1194', 'port 443'),
    ],
    ['a removed line', WRITTEN.replace('verb 3\n', ''), BEFORE.replace('verb 3\n', '')],
    ['the same lines, back to what they were', BEFORE, BEFORE],
    ['one of them, back to what it was', WRITTEN.replace('"chained check.sh"', 'check.sh'), BEFORE],
    ['the end of the last line', WRITTEN.slice(0, -1), BEFORE.slice(0, -1)],
    ['a line that was written', WRITTEN.replace('chained', 'other'), undefined],
    ['a line that was added', WRITTEN.replace('management x', 'management y'), undefined],
    ['a line between two that were added', WRITTEN.replace('# added\n', '# added\nmute 5\n'), undefined],
  ])('takes lines back, and keeps what was changed afterwards: %s', (_what, present, expected) => {
    expect(merge(WRITTEN, BEFORE, present)).toBe(expected);
  });
});
