import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  MAX_HISTORY_LINES,
  MAX_HISTORY_BYTES,
  readHistory,
  saveHistory,
} from '../../../../src/console/terminal/history.js';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-history-'));
  file = join(directory, 'state', 'console-history');
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

it('the history keeps the last 1,000 lines', () => {
  expect(readHistory(file)).toEqual([]);
  saveHistory(
    file,
    Array.from({ length: MAX_HISTORY_LINES + 10 }, (_, n) => `log ${n}`),
  );
  const lines = readHistory(file);
  expect(lines).toHaveLength(1000);
  expect([lines[0], lines.at(-1)]).toEqual(['log 0', 'log 999']);
});

it('the history starts empty if its file is larger than 4 MiB', () => {
  saveHistory(file, ['pid']);
  truncateSync(file, MAX_HISTORY_BYTES + 1);
  expect(readHistory(file)).toEqual([]);
  writeFileSync(file, 'pid\n'.repeat(MAX_HISTORY_BYTES / 4));
  expect(readHistory(file)).toHaveLength(1000);
  saveHistory(file, ['pid']);
  expect(readHistory(file)).toEqual(['pid']);
});
