import type { SteeringConfig } from '../config/config.js';
import { BALANCE_DEFAULTS } from './balancer/balance.js';
import type { Guidance } from './modes.js';
import { sessionKey } from './placed-session.js';
import type { SessionPlan } from './plan.js';
import { ROOMY } from './modes/priority-based.js';
import { formatRate, NO_RATE } from '../model/rate.js';
import { ageOf } from './stay.js';
import { formatLoad, formatPercent, fullness } from '../model/path-load.js';

/** What is told of where a session is going. */
export interface Outlook {
  readonly guidance: Guidance;
  readonly steering: SteeringConfig;
  /** Milliseconds of the clock of `guidance`. */
  readonly now: number;
}

/** What a session uses, what its paths carry, and what would move it. */
export function outlookText(plan: SessionPlan, outlook: Outlook): string[] {
  const { rule, rate } = plan;
  const paths = outlook.guidance.loads.filter(({ name }) => rule.allowed.includes(name));
  return [
    ...(rate ? [`load: it uses ${formatRate(rate)}`] : []),
    ...paths.map((load) => `load: path ${load.name} ${formatLoad(load)}`),
    ...moversOf(plan, outlook).map((line) => `moves: ${line}`),
  ];
}

function moversOf(plan: SessionPlan, outlook: Outlook): string[] {
  if (plan.subflows.length === 0) return [];
  switch (plan.rule.mode) {
    case 'active-standby':
      return plan.missing.length === 0
        ? ['nothing but another rule, or the end of its subflows']
        : [`to ${plan.missing.join(', else ')} as soon as the client has a subflow there`];
    case 'load-balancing':
      return ["from packet to packet, as the kernel's scheduler decides"];
    case 'smallest-delay':
      return delayMovers(plan, outlook);
    case 'priority-based':
      return priorityMovers(plan);
    case 'balance':
      return balanceMovers(plan, outlook);
  }
}

function stayText({ session }: SessionPlan, { guidance, steering, now }: Outlook): string[] {
  const since = guidance.choices.get(sessionKey(session))?.since;
  if (since === undefined) return [];
  const age = ageOf(since, now);
  const there = `there for ${seconds(age)}`;
  return [
    age < steering.dwell ? `${there}; not before it has been there for ${seconds(steering.dwell)}` : there,
  ];
}

function delayMovers(plan: SessionPlan, outlook: Outlook): string[] {
  const delays = plan.subflows.map(({ path, subflow }) =>
    path === undefined || !plan.rule.allowed.includes(path) || !subflow.rtt
      ? []
      : [`${path} ${(subflow.rtt / 1000).toFixed(1)} ms`],
  );
  return [
    ...stayText(plan, outlook),
    `to a path whose round-trip time is less by a fifth, and by 2 ms: ${delays.flat().join(', ') || 'none is known yet'}`,
  ];
}

function priorityMovers({ rule, active, primary }: SessionPlan): string[] {
  const now = active ?? (primary === undefined ? [] : [primary]);
  const next = rule.primary.find((path) => !now.includes(path));
  const joins = next === undefined ? [] : [`${next} joins when ${now.join(' and ')} is congested`];
  const last = now.at(-1) ?? '';
  const leaves =
    now.length < 2 ? [] : [`${last} leaves when that leaves another at most ${formatPercent(ROOMY)} full`];
  return [...joins, ...leaves];
}

function balanceMovers(plan: SessionPlan, outlook: Outlook): string[] {
  const { rule, rate = NO_RATE, subflows } = plan;
  // in a dry run it is still where it was
  const at = plan.current ?? plan.primary ?? '';
  const { guidance, steering } = outlook;
  const own = guidance.loads.find(({ name }) => name === at);
  const full = own && fullness(own);
  const others = guidance.loads.filter(
    ({ name }) => name !== at && rule.allowed.includes(name) && subflows.some(({ path }) => path === name),
  );
  if (others.length === 0) return ['nothing: it has one path that it may be on'];
  const idle = rate.down + rate.up < BALANCE_DEFAULTS.idle;
  return [
    ...stayText(plan, outlook),
    ...(idle ? ['not while it is idle'] : []),
    ...others.map((load) => {
      const cost = new Map(Object.entries(rule.cost ?? {})).get(load.name) ?? 1;
      const then = fullness(load, { down: rate.down * cost, up: rate.up * cost });
      if (full === undefined || then === undefined)
        return `to ${load.name} when more is known of what it can carry`;
      const bar = formatPercent(full * (1 - steering.gain));
      return `to ${load.name} if that were less than ${bar} full with it, as ${at} is ${formatPercent(full)}; it would be ${formatPercent(then)}`;
    }),
  ];
}

function seconds(milliseconds: number): string {
  return milliseconds === Infinity ? 'long' : `${(milliseconds / 1000).toFixed(0)} s`;
}
