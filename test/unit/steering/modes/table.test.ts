import { describe, expect, test } from 'vitest';
import { MODES } from '../../../../src/model/mode.js';
import { INITIAL_MODES_STATE, stepModes } from '../../../../src/steering/guidance.js';
import { MODE_TABLE } from '../../../../src/steering/modes/table.js';
import { placeSessions, sessionKey } from '../../../../src/steering/placed-session.js';
import { configOf } from '../../../support/config.js';
import { connection, LTE, session, WIFI } from '../../../support/plans.js';

const alice = session('alice');
const observed = { session: alice, connection: connection(alice, `${WIFI} active`, `${LTE} active`) };
const CONFIG = configOf(['wifi', 'lte']);

describe.each(MODES)('mode %s', (mode) => {
  const config = { ...CONFIG, default: { ...CONFIG.default, mode } };
  const sessions = placeSessions({ sessions: [observed] }, config, new Map());
  const { choices, usable, state } = stepModes(INITIAL_MODES_STATE, sessions, config, 0);

  test('chooses in a step only if it uses measurements', () => {
    expect(choices.size).toBe(MODE_TABLE[mode].usesMeasurements ? 1 : 0);
  });

  test('makes at least one path of the session active', () => {
    const [choice] = choices.values();
    const active = sessions.flatMap((one) => {
      const canUse = usable.get(sessionKey(one.session)) ?? { paths: [], isElsewhere: false };
      return MODE_TABLE[mode].activePaths(one, canUse, choice);
    });
    expect(['wifi', 'lte']).toEqual(expect.arrayContaining(active));
    expect(active.length).toBeGreaterThan(0);
  });

  test('does not change the states of the other modes', () => {
    const withoutSessions = stepModes(INITIAL_MODES_STATE, [], config, 0).state.modes;
    for (const other of MODES.filter((name) => name !== mode)) {
      expect(state.modes[other]).toEqual(withoutSessions[other]);
    }
  });

  test('describes the rule in status and explain', () => {
    expect(MODE_TABLE[mode].ruleText(config.default)).toContain('wifi, lte');
    expect(MODE_TABLE[mode].ruleSentence(config.default)).toContain('wifi');
    expect(MODE_TABLE[mode].decidedBy({ mode, section: '[default]' })).toContain('[default]');
  });
});
