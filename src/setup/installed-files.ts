import { join } from 'node:path';

/** A file that setup copies to its place. */
interface Copy {
  /** Below the directory of the examples, or of the hooks. */
  readonly from: string;
  readonly to: string;
  readonly mode: number;
}

/** Where an installation of subflowd has its files. */
export interface Installation {
  /** Directory of the hooks, where every user may run them. */
  readonly hooks: string;
  /** Directory of the examples: drop-ins, sysctl, units. */
  readonly examples: string;
  /** What is not at its place yet, because the package does not put it there. */
  readonly copies: readonly Copy[];
}

/** The program of the Debian package. */
const DEBIAN_ROOT = '/usr/lib/subflowd';
const HOOKS = ['client-connect', 'client-disconnect', 'client-connect-chained', 'client-disconnect-chained'];

/** The only place that names the files of an installation. @param root the directory of the package. */
export function installationAt(root: string): Installation {
  if (root === DEBIAN_ROOT) {
    return { hooks: join(root, 'hooks'), examples: '/usr/share/subflowd/openvpn-conf', copies: [] };
  }
  const examples = join(root, 'openvpn-conf');
  const hooks = '/usr/local/lib/subflowd';
  const example = (name: string, to: string): Copy => ({ from: join(examples, name), to, mode: 0o644 });
  return {
    hooks,
    examples,
    copies: [
      ...HOOKS.map((name) => ({ from: join(root, 'hooks', name), to: join(hooks, name), mode: 0o755 })),
      example('subflowd-sysusers.conf', '/etc/sysusers.d/subflowd.conf'),
      example('subflowd-tmpfiles.conf', '/etc/tmpfiles.d/subflowd.conf'),
      ...['subflowd.service', 'subflowd-helper.service', 'subflowd-helper.socket'].map((unit) =>
        example(unit, `/etc/systemd/system/${unit}`),
      ),
    ],
  };
}

/** The unit of the helper. */
export const HELPER = 'subflowd-helper';
/** The units of subflowd that setup starts, stops and enables. A server waits for the first one. */
export const SETUP_UNITS = ['subflowd', HELPER, `${HELPER}.socket`] as const;

/** What setup writes besides the configs of OpenVPN. */
export const SETUP_FILES = {
  ini: '/etc/subflowd/subflowd.ini',
  sysctl: '/etc/sysctl.d/subflowd.conf',
  tmpfiles: '/etc/tmpfiles.d/subflowd-setup.conf',
  /** Directory of a file for each server whose management socket subflowd takes over. */
  links: '/etc/tmpfiles.d',
  /** The only directory in which the daemon may make sockets. */
  consoles: '/run/subflowd',
  /** The only directory of management sockets that the daemon may enter. */
  management: '/run/subflowd/management',
  units: '/etc/systemd/system',
  /** Backups and the manifest, for `setup --undo`. */
  state: '/var/lib/subflowd/setup',
} as const;
