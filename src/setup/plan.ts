import type { Decision, HostFacts, NewUnit, WantedFile } from './facts.js';
import { HELPER, SETUP_FILES, SETUP_UNITS } from './installed-files.js';
import { DAEMON_USER } from './manifest.js';

/** A file that changes. */
export interface FileChange extends WantedFile {
  /** Its present text, each character one byte; absent: there is none. */
  readonly before?: string;
}

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** What really changes on this host. */
export interface Plan extends Pick<
  Decision,
  'sysctl' | 'consoleUsers' | 'obstacles' | 'warnings' | 'notes' | 'nextSteps'
> {
  readonly changes: readonly FileChange[];
  /** Running units that must be restarted. */
  readonly restarts: readonly string[];
  readonly newUnits: readonly NewUnit[];
  readonly daemon: HostFacts['daemon'];
  /** Whether the daemon shall run. */
  readonly needsDaemon: boolean;
}

/**
 * Removes from a decision what is done already.
 * @param read returns the present text of a file; undefined: there is none.
 * @param isMember whether a user is in the group subflowd.
 */
export function makePlan(
  decision: Decision,
  { servers, daemon, ini }: Pick<HostFacts, 'servers' | 'daemon' | 'ini'>,
  read: (path: string) => string | undefined,
  isMember: (user: string) => boolean,
): Plan {
  const changes = decision.files.flatMap((file): FileChange[] => {
    const before = read(file.path);
    if (before === undefined) return [file];
    return before === file.text || file.isOnlyNew ? [] : [{ ...file, before }];
  });
  const active = servers.filter(({ isActive }) => isActive).map(({ unit }) => unit);
  const touched = new Set(changes.map(({ unit }) => unit));
  return {
    changes,
    restarts: active.flatMap((unit) => (unit !== undefined && touched.has(unit) ? [unit] : [])),
    newUnits: decision.newUnits,
    sysctl: decision.sysctl,
    consoleUsers: decision.consoleUsers.filter((user) => !isMember(user)),
    obstacles: decision.obstacles,
    warnings: decision.warnings,
    notes: decision.notes,
    nextSteps: decision.nextSteps,
    daemon,
    needsDaemon:
      decision.obstacles.length === 0 &&
      (ini !== undefined || changes.some(({ path }) => path === SETUP_FILES.ini)),
  };
}

/** Whether a plan changes nothing. */
export function isEmpty(plan: Plan): boolean {
  return plan.changes.length === 0 && commandsOf(plan).length === 0;
}

/**
 * The commands that follow the files. The servers whose management address subflowd takes over end before subflowd starts,
 * and start after it, because their clients can use several paths only if subflowd runs when they connect.
 */
export function commandsOf(plan: Plan): Command[] {
  const { changes, restarts, newUnits, sysctl, consoleUsers } = plan;
  const isChanged = (pattern: RegExp) => changes.some(({ path }) => pattern.test(path));
  const tmpfiles = changes.map(({ path }) => path).filter((path) => path.includes('/tmpfiles.d/'));
  const units = (verb: string, names: readonly string[]): Command[] =>
    names.length === 0 ? [] : [['systemctl', verb, ...names]];
  return [
    ...(isChanged(/\/sysusers\.d\//) ? [['systemd-sysusers'] as const] : []),
    ...consoleUsers.map((user): Command => ['usermod', '--append', '--groups', DAEMON_USER, user]),
    ...sysctl.map(([name, value]): Command => ['sysctl', '--quiet', '--write', `net.mptcp.${name}=${value}`]),
    ...units('stop', restarts),
    // OpenVPN has removed its management socket now, and a link can take its place
    ...(tmpfiles.length > 0 ? [['systemd-tmpfiles', '--create', ...tmpfiles] as const] : []),
    ...(isChanged(/^\/etc\/systemd\//) ? [['systemctl', 'daemon-reload'] as const] : []),
    ...daemonCommands(plan),
    ...units('start', restarts),
    ...newUnits.map(({ unit, isEnabled }): Command =>
      isEnabled ? ['systemctl', 'enable', '--now', unit] : ['systemctl', 'start', unit],
    ),
  ];
}

function daemonCommands({ needsDaemon, changes, daemon: { isActive, isEnabled } }: Plan): Command[] {
  if (!needsDaemon) return [];
  if (!isEnabled) return [['systemctl', 'enable', '--now', ...SETUP_UNITS]];
  if (!isActive) return [['systemctl', 'start', ...SETUP_UNITS]];
  const hasDropIn = (unit: string) => changes.some(({ path }) => path.includes(`/${unit}.service.d/`));
  const isReloaded = changes.some(({ path }) => path === SETUP_FILES.ini);
  return [
    ...(hasDropIn(HELPER) ? [['systemctl', 'restart', HELPER] as const] : []),
    ...(hasDropIn(SETUP_UNITS[0])
      ? [['systemctl', 'restart', SETUP_UNITS[0]] as const]
      : isReloaded
        ? [['systemctl', 'reload', SETUP_UNITS[0]] as const]
        : []),
  ];
}
