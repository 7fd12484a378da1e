import type { Config, PathConfig, RuleConfig } from '../../config/config.js';
import { type PathLoad, formatLoad } from '../../model/path-load.js';
import { formatQuota } from '../../model/quota.js';
import { ruleText, type SessionPlan } from '../../api/status.js';
import { printable } from '../../util/printable.js';

/** Text of `mptcp paths`: each path with its sessions and subflows, its load and its capacity. */
export function pathsText(
  { paths }: Config,
  sessions: readonly SessionPlan[],
  loads: readonly PathLoad[],
): string[] {
  return paths.map((path) => {
    const { name } = path;
    const on = sessions.flatMap(({ subflows }) => subflows).filter(({ path }) => path === name);
    const active = on.filter(({ subflow }) => subflow.ours === 'active').length;
    const primary = sessions.filter(({ current }) => current === name).length;
    const load = loads.find((each) => each.name === name);
    return printable(
      `path ${name}: ${networksText(path)}: primary of ${count(primary, 'session')}, ${active} of ` +
        `${count(on.length, 'subflow')} active${load ? `; ${formatLoad(load)}` : ''}`,
    );
  });
}

/** The networks of a path, and the address IDs if they matter. */
function networksText({ prefixes, addressIds }: PathConfig): string {
  const ids = addressIds ? [`address ID ${addressIds.join(' or ')}`] : [];
  return [...(prefixes.length > 0 ? [prefixes.join(', ')] : []), ...ids].join(' with ');
}

/** Text of `mptcp rules`: the rules in the order of the file, then the overrides, and how many sessions each rule has. */
export function rulesText(
  { clients, default: fallback }: Config,
  overrides: Readonly<Record<string, string>>,
  sessions: readonly SessionPlan[],
): string[] {
  const counts = (section: string) =>
    count(sessions.filter(({ rule }) => rule.section === section).length, 'session');
  const line = (section: string, rule: RuleConfig) => {
    const wanted = ruleText(rule) ?? 'no path, left alone';
    const peerBackup = rule.peerBackup === 'override' ? ', peer-backup = override' : '';
    return `rule ${section}: ${wanted}${peerBackup}${limitsText(rule)}: ${counts(section)}`;
  };
  return [
    ...clients.map(({ glob, ...rule }) => line(`[client ${glob}]`, rule)),
    line('[default]', fallback),
    ...Object.entries(overrides).map(
      ([key, path]) => `override ${key}: ${path}, until primary CLIENT auto ends it`,
    ),
  ].map(printable);
}

/** The quotas and `rejoin-after` of a rule, as what follows its paths. */
function limitsText({ quota, quotaDay, rejoinAfter }: RuleConfig): string {
  const quotas = Object.entries(quota ?? {}).map(([path, limit]) => `${path} ${formatQuota(limit)}`);
  return [
    ...(quotas.length > 0 ? [`, quota = ${quotas.join(', ')}`] : []),
    ...(quotaDay === undefined ? [] : [`, quota-day = ${quotaDay}`]),
    ...(rejoinAfter === undefined ? [] : [`, rejoin-after = ${rejoinAfter / 1000}s`]),
  ].join('');
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
