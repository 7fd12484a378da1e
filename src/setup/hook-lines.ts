import { lastOf, quoteConfigWord, type ConfigLine } from '../openvpn/config-file.js';

/** Longest line of a config that OpenVPN reads, characters (`OPTION_LINE_SIZE` in options.h, without its end). */
const MAX_LINE = 255;

/** The hooks of a server. */
const HOOKS = ['client-connect', 'client-disconnect'] as const;

/** What to do about the hooks of one config. */
export interface HookLines {
  /** The new text of lines of the config that have a script of the admin, by the option. */
  readonly chained: ReadonlyMap<string, string>;
  /** Lines to add. */
  readonly added: readonly string[];
  /** Why there are no hooks, as a sentence; absent: there are. */
  readonly without?: string;
}

/**
 * Decides about the hooks. A script of the admin goes on deciding: it becomes the first parameter of a script of
 * subflowd, which runs it and returns its status. Where hooks cannot run, the management interface reports the clients.
 */
export function decideHooks(lines: readonly ConfigLine[], directory: string): HookLines {
  const none = (without: string): HookLines => ({ chained: new Map(), added: [], without });
  const chroot = lastOf(lines, 'chroot')?.words?.[1];
  if (chroot !== undefined)
    return none(`its config has chroot ${chroot}, where the hooks of subflowd do not exist`);
  const security = lastOf(lines, 'script-security')?.words?.[1];
  if (security !== undefined && Number(security) < 2)
    return none(`its config has script-security ${security}, which allows no hooks`);
  const chained = new Map<string, string>();
  const added: string[] = security === undefined ? ['script-security 2'] : [];
  for (const option of HOOKS) {
    const script = lastOf(lines, option)?.words?.[1];
    if (script === undefined) {
      added.push(`${option} ${quoteConfigWord(`${directory}/${option}`)}`);
    } else if (!isOurs(script)) {
      const line = `${option} ${quoteConfigWord(`${directory}/${option}-chained ${script}`)}`;
      if (line.length > MAX_LINE)
        return none(`its ${option} would be longer than the ${MAX_LINE} characters that OpenVPN reads`);
      chained.set(option, line);
    }
  }
  return { chained, added };
}

/** Whether a command runs a hook of subflowd, by itself or before a script of the admin. */
function isOurs(command: string): boolean {
  return /^\S*\/subflowd\S*\/client-(?:dis)?connect(?:-chained)?(?: |$)/.test(command);
}
