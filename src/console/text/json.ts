import type { SessionPlan } from '../../api/status.js';
import type { Config, PathConfig, RuleConfig } from '../../config/config.js';
import type { PathLoad } from '../../model/path-load.js';

/** A path as `paths --json` prints it: its section, what is on it, and its load. */
export interface PathStatus extends PathConfig {
  /** The sessions whose primary path it is. */
  readonly primarySessions: number;
  readonly subflows: number;
  /** The subflows that this host asks to use as active. */
  readonly activeSubflows: number;
  /** Absent before the first observation. */
  readonly load?: PathLoad;
}

/** The rules as `rules --json` prints them. */
export interface RulesStatus {
  /** `[client GLOB]` in the order of the file, then `[default]`, each with the sessions that it applies to. */
  readonly rules: readonly (RuleConfig & { readonly section: string; readonly sessions: number })[];
  /** By `SERVER/COMMON NAME`: the path that an admin set. */
  readonly overrides: Readonly<Record<string, string>>;
}

/** The paths in the order of the config. */
export function pathsStatus(
  { paths }: Config,
  sessions: readonly SessionPlan[],
  loads: readonly PathLoad[],
): PathStatus[] {
  return paths.map((path) => {
    const on = sessions.flatMap(({ subflows }) => subflows).filter((subflow) => subflow.path === path.name);
    const load = loads.find(({ name }) => name === path.name);
    return {
      ...path,
      primarySessions: sessions.filter(({ current }) => current === path.name).length,
      subflows: on.length,
      activeSubflows: on.filter(({ subflow }) => subflow.ours === 'active').length,
      ...(load && { load }),
    };
  });
}

/** The rules and the overrides. */
export function rulesStatus(
  { clients, default: fallback }: Config,
  overrides: Readonly<Record<string, string>>,
  sessions: readonly SessionPlan[],
): RulesStatus {
  const written = [
    ...clients.map(({ glob, ...rule }) => ({ section: `[client ${glob}]`, ...rule })),
    { section: '[default]', ...fallback },
  ];
  const counted = written.map((rule) => ({
    ...rule,
    sessions: sessions.filter((session) => session.rule.section === rule.section).length,
  }));
  return { rules: counted, overrides };
}
