import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/setup/decide.js';
import type { HostFacts } from '../../../src/setup/facts.js';
import { commandsOf, isEmpty, makePlan, type Plan } from '../../../src/setup/plan.js';
import { planText } from '../../../src/setup/show.js';
import { afterwards, TCP, textOf } from './decisions-for-test.js';
import { hostFacts, serverFacts } from './facts-for-test.js';

const facts = hostFacts([serverFacts(`${TCP}management /run/old.sock unix\n`)]);
const decision = decide(facts, {});

/** The plan of a second run, on a host that has every file of the first one. */
function secondPlan(found: Partial<HostFacts>): Plan {
  const host = { ...afterwards(facts, decision), ...found };
  return makePlan(
    decide(host, {}),
    host,
    (path) =>
      textOf(decision, path) ||
      host.servers
        .find(({ config }) => config === path)
        ?.lines.map(({ text }) => `${text}\n`)
        .join(''),
    () => true,
  );
}

describe('a plan', () => {
  it('stops a server before a link takes the place of its socket, and starts it after the daemon', () => {
    const commands = commandsOf(
      makePlan(
        decision,
        facts,
        () => undefined,
        () => true,
      ),
    );
    expect(commands.map((command) => command.slice(0, 2).join(' '))).toEqual([
      'sysctl --quiet',
      'systemctl stop',
      'systemd-tmpfiles --create',
      'systemctl daemon-reload',
      'systemctl enable',
      'systemctl start',
    ]);
  });

  it('is empty where everything is done', () => {
    const plan = secondPlan({ daemon: { isActive: true, isEnabled: true } });
    expect(isEmpty(plan)).toBe(true);
    expect(planText(plan)).toBe('nothing to do');
  });

  it('starts a daemon that does not run', () => {
    expect(commandsOf(secondPlan({ daemon: { isActive: false, isEnabled: true } }))).toEqual([
      ['systemctl', 'start', 'subflowd', 'subflowd-helper', 'subflowd-helper.socket'],
    ]);
  });

  it('starts no daemon on a host without a server', () => {
    const host = hostFacts([]);
    expect(
      commandsOf(
        makePlan(
          decide(host, {}),
          host,
          () => undefined,
          () => true,
        ),
      ),
    ).toEqual([]);
  });
});
