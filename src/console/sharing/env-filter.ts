/** `env_names` in OpenVPN's manage.c (2.6). */
const NAMES = [
  ...['username=', 'password=', 'X509_0_CN=', 'tls_serial_', 'untrusted_ip=', 'ifconfig_local=', 'dev='],
  ...['ifconfig_netmask=', 'daemon_start_time=', 'daemon_pid=', 'ifconfig_pool_remote_ip=', 'session_id='],
  ...['ifconfig_pool_netmask=', 'time_duration=', 'bytes_sent=', 'bytes_received=', 'session_state='],
];

/**
 * Filters a `>CLIENT:` message as OpenVPN does at this level of `env-filter` (`env_filter_match` in manage.c). In CONNECT
 * and REAUTH, OpenVPN always includes the variables that the client sent about itself (`IV_...`, `UV_...`).
 */
export function filterVariables(lines: readonly string[], level: number): readonly string[] {
  if (level === 0) return lines;
  const isRequest = /^>CLIENT:(?:CONNECT|REAUTH),/.test(lines[0] ?? '');
  return lines.filter((line) => {
    const variable = /^>CLIENT:ENV,(.*)$/s.exec(line)?.[1];
    if (variable === undefined || variable === 'END') return true;
    if (isRequest && /^[IU]V_/.test(variable)) return true;
    if (level <= 1 && variable.startsWith('X509_')) return true;
    return level <= 2 && NAMES.some((name) => variable.startsWith(name));
  });
}
