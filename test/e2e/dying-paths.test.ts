import { describe, expect, test } from 'vitest';
import type { DaemonStatus, SessionPlan } from '../../src/api/status.js';
import type { Health } from '../../src/model/health.js';
import { needs } from '../lab/needs.js';
import { HARM, runScenario } from '../lab/scenarios/run.js';

interface DyingPaths extends Readonly<Record<'left' | 'back' | 'heldBack' | 'lost', SessionPlan>> {
  /** Before and after balance relieved a path. */
  readonly full: DaemonStatus;
  readonly relieved: DaemonStatus;
  readonly whileDead: readonly {
    readonly current?: string;
    readonly carriedOn: readonly string[];
    readonly subflows: readonly { readonly path?: string; readonly health?: Health }[];
    /** Of each path. */
    readonly health: readonly Health[];
  }[];
  readonly returnedAfterMs: number;
  readonly problems: readonly string[];
  /** The longest times without payload, milliseconds. */
  readonly silent: Readonly<Record<'atDeath' | 'atReturn' | 'atMove', number>>;
  readonly log: string;
  readonly reconnects: number;
}

describe('on a guest kernel, through memory, a client', () => {
  needs('guest', 'openvpn');

  test(
    'leaves paths that are full, die, lose large packets or are held back',
    { timeout: 1_200_000 },
    async () => {
      const { result, consoleLog } = await runScenario<DyingPaths>('dying-paths', { append: 'nopat' });
      expect(consoleLog).not.toMatch(HARM);
      const { full, relieved, left, whileDead, back, heldBack, lost, problems, log } = result;
      expect(full.backend.name).toBe('devmem');
      expect(full.sessions.map(({ current }) => current)).toEqual(['wifi', 'wifi']);
      expect(relieved.sessions.map(({ current }) => current).sort()).toEqual(['lte', 'wifi']);

      expect(left.reason).toContain('wifi does not carry');
      expect(whileDead.map(({ current }) => current)).not.toContain('wifi');
      expect(whileDead.map(({ health: [wifi] }) => wifi)).toContain('dead');
      expect(whileDead.at(-1)).toMatchObject({ carriedOn: ['lte'] });
      expect(whileDead.at(-1)?.subflows).toContainEqual({ path: 'wifi', health: 'dead' });
      expect(whileDead.at(-1)?.subflows).toContainEqual({ path: 'lte', health: 'carries' });
      // The first pause: the path is tried only after it.
      expect(result.returnedAfterMs).toBeGreaterThan(4500);

      expect(back).toMatchObject({ state: 'elsewhere', current: 'wifi' });
      // A slow guest observes too seldom to see within 3 s that the move failed, and then it says "wifi instead".
      expect(back.reason).toMatch(/lte does not carry: (back to wifi|wifi instead)/);
      expect(log).toMatch(/lte does not carry: (back to wifi|wifi instead)/);
      expect(heldBack.primary).toBe('wifi');
      expect(lost).toMatchObject({ state: 'no-subflow', subflows: [] });
      expect(problems).toContainEqual(expect.stringMatching(/^alice: no subflow is left/));
      for (const milliseconds of Object.values(result.silent)) expect(milliseconds).toBeLessThan(10_000);
      expect(result.reconnects).toBe(0);
    },
  );
});
