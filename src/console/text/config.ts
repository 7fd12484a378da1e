import type { Config, RuleConfig } from '../../config/config.js';
import { type PathLoad, formatLoad } from '../../model/path-load.js';
import { ruleText, type SessionPlan } from '../../api/status.js';
import { printable } from '../../util/printable.js';

/** The paths, with what is on each now, and what they carry against what they can. */
export function pathsText(
  { paths }: Config,
  sessions: readonly SessionPlan[],
  loads: readonly PathLoad[],
): string[] {
  return paths.map(({ name, prefixes }) => {
    const on = sessions.flatMap(({ subflows }) => subflows).filter(({ path }) => path === name);
    const active = on.filter(({ subflow }) => subflow.ours === 'active').length;
    const primary = sessions.filter(({ current }) => current === name).length;
    const load = loads.find((load) => load.name === name);
    return printable(
      `path ${name}: ${prefixes.join(', ')}: primary of ${count(primary, 'session')}, ${active} of ` +
        `${count(on.length, 'subflow')} active${load ? `; ${formatLoad(load)}` : ''}`,
    );
  });
}

/** The rules in the order of the file, then the overrides, with how many sessions each counts for. */
export function rulesText(
  { clients, default: fallback }: Config,
  overrides: Readonly<Record<string, string>>,
  sessions: readonly SessionPlan[],
): string[] {
  const counts = (section: string) =>
    count(sessions.filter(({ rule }) => rule.section === section).length, 'session');
  const line = (section: string, rule: RuleConfig) => {
    const wanted = ruleText(rule) ?? 'no path, left alone';
    const wins = rule.peerBackup === 'override' ? ', peer-backup = override' : '';
    return `rule ${section}: ${wanted}${wins}: ${counts(section)}`;
  };
  return [
    ...clients.map(({ glob, ...rule }) => line(`[client ${glob}]`, rule)),
    line('[default]', fallback),
    ...Object.entries(overrides).map(([key, path]) => `override ${key}: ${path}, until taken back by auto`),
  ].map(printable);
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
