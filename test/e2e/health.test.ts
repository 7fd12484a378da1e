import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { SessionPlan } from '../../src/api/status.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { activePaths, sessionOf, SteeredStage } from '../support/steered-stage.js';

const MBIT = 4;
/** How long a path stays dead, milliseconds. */
const DEAD_MS = 6000;
/** The machines that run this share their processors, so times are only bounded here; the benchmark `death` measures them. */
const LONGEST_GAP_MS = 2000;

/** One mode: the rule, and whether the client is on the path again that was dead. */
const MODES: Readonly<
  Record<
    string,
    { readonly rule: readonly string[]; readonly isBack?: (session: SessionPlan, path: string) => boolean }
  >
> = {
  'active-standby': {
    rule: ['primary = wifi, lte'],
    isBack: ({ state, current }, path) => state === 'obeyed' && current === path,
  },
  'smallest-delay': { rule: ['mode = smallest-delay'] },
  'priority-based': {
    rule: ['mode = priority-based', 'primary = wifi, lte'],
    isBack: (session, path) => session.state === 'obeyed' && activePaths(session).includes(path),
  },
  'load-balancing': {
    rule: ['mode = load-balancing'],
    isBack: (session, path) => session.state === 'obeyed' && activePaths(session).includes(path),
  },
  balance: { rule: ['mode = balance'] },
};

describe('a path that dies without a message', () => {
  needs(...networkNeeds);

  test.for(Object.entries(MODES))(
    'is left by %s, and used again when it is back',
    async ([mode, { rule, isBack }]) => {
      const stage = await SteeredStage.start({}, { sections: [['[client alice]', ...rule]] });
      const { tunnel, stream } = await stage.connect(0, 'alice', MBIT);
      const settled = await stage.untilClient(
        'alice',
        'obeyed, with traffic',
        ({ state, carriedOn }) => state === 'obeyed' && carriedOn.length > 0,
      );
      await sleep(2000);
      const dying = settled.current ?? 'wifi';
      const other = dying === 'wifi' ? 'lte' : 'wifi';

      const diedAt = Date.now();
      const revive = await stage.break({ path: dying });
      await stage.untilClient('alice', `on ${other}`, (alice) => activePaths(alice).join() === other);
      const leftAfter = Date.now() - diedAt;
      const reason = (await stage.client('alice')).reason;
      const whileDead = await stage.statuses(DEAD_MS);
      const gapAtDeath = stream.longestGap(diedAt);
      const revivedAt = Date.now();
      await revive();
      await stage.untilClient('alice', `${dying} is alive`, (_alice, { paths }) =>
        paths.every(({ health }) => health !== 'dead'),
      );
      if (isBack) await stage.untilClient('alice', `${dying} again`, (alice) => isBack(alice, dying));
      const backAfter = Date.now() - revivedAt;
      await sleep(4000);
      const gapAtReturn = stream.longestGap(revivedAt);
      console.log(
        `${mode}: status shows ${other} after ${leftAfter} ms, the tunnel stood still for ${gapAtDeath} ms; ` +
          `${isBack ? 'back' : 'alive'} after ${backAfter} ms, longest gap meanwhile ${gapAtReturn} ms`,
      );

      expect(reason).toContain(`${dying} does not carry`);
      for (const status of whileDead) {
        const alice = sessionOf(status, 'alice');
        expect(activePaths(alice), alice.reason).toEqual([other]);
      }
      const shown = whileDead.map(({ paths }) => paths.find(({ name }) => name === dying)?.health);
      expect(shown).toContain('dead');
      expect(whileDead.map((status) => sessionOf(status, 'alice').carriedOn).at(-1)).toEqual([other]);
      expect(gapAtDeath).toBeLessThan(LONGEST_GAP_MS);
      expect(gapAtReturn).toBeLessThan(LONGEST_GAP_MS);
      expect(await tunnel.reconnects()).toBe(0);
    },
  );
});
