import { describe, expect, it } from 'vitest';
import { loadAddon } from '../../../src/native/addon.js';

describe('ignoreSignal', () => {
  it.each([0, -1, 9, 19, 65, 1e9, 34.5, 2 ** 32 + 34, Number.NaN])(
    'refuses %d, which is not a signal or cannot be ignored',
    (number) => {
      expect(() => {
        loadAddon().ignoreSignal(number);
      }).toThrow(TypeError);
    },
  );

  it('ignores a real-time signal, which would end the process', () => {
    loadAddon().ignoreSignal(34);
    process.kill(process.pid, 34);
    expect(process.pid).toBeGreaterThan(0);
  });
});
