/** The systemd unit in the text of /proc/PID/cgroup: the last part of the path that is the name of a unit. */
export function systemdUnitOf(cgroups: string): string | undefined {
  const path = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(cgroups)?.[1] ?? '';
  return path
    .split('/')
    .reverse()
    .find((part) => /\.(?:service|scope)$/.test(part));
}
