import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where an admin puts drop-ins for the daemon's unit. */
const DROP_INS = '/etc/systemd/system/subflowd.service.d';
const HELPER_DROP_INS = '/etc/systemd/system/subflowd-helper.service.d';

/**
 * What to report if this process has capabilities, although the helper does what needs them. In versions without a helper, the
 * daemon's unit had drop-ins that gave it capabilities.
 * @param status the text of /proc/self/status.
 * @param directory of the drop-ins.
 * @returns a sentence with how to fix it; undefined if it has none.
 */
export function surplusRights(
  status = readFileSync('/proc/self/status', 'latin1'),
  directory = DROP_INS,
): string | undefined {
  const bits = /^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? '0';
  if (BigInt(`0x${bits}`) === 0n) return undefined;
  const files = dropInsWithRights(directory);
  const remedy =
    files.length > 0
      ? `mkdir -p ${HELPER_DROP_INS} && mv ${files.join(' ')} ${HELPER_DROP_INS} && systemctl daemon-reload && ` +
        'systemctl restart subflowd-helper subflowd'
      : 'run it by openvpn-conf/subflowd.service';
  return `the daemon has capabilities (0x${bits}) that only its helper needs; to fix it: ${remedy} (docs/privileges.md, Upgrade)`;
}

function dropInsWithRights(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.conf'))
      .map((name) => join(directory, name))
      .filter((file) =>
        /^\s*(?:AmbientCapabilities|CapabilityBoundingSet)\s*=\s*CAP_/m.test(readFileSync(file, 'utf8')),
      )
      .sort();
  } catch {
    // there is no such directory, or this user may not read it
    return [];
  }
}
