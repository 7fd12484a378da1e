// hooks/client-connect for Node, to see what it would cost: the same checks, the same record.
import process from 'node:process';
import { lstatSync, readdirSync, statSync, writeFileSync } from 'node:fs';

const { env } = process;
const { daemon_pid: pid = '', trusted_port: port = '' } = env;
const address = env.trusted_ip ?? env.trusted_ip6 ?? '';
if (/^\d+$/.test(pid) && /^\d+$/.test(port) && /^[^/]+$/.test(address)) {
  const events = env.SUBFLOWD_EVENTS ?? '/run/subflowd/events';
  const own = readdirSync(events)
    .map((name) => `${events}/${name}`)
    .find((directory) => statSync(directory).uid === process.geteuid?.());
  const virtual = env.ifconfig_pool_remote_ip || env.ifconfig_pool_remote_ip6 || '';
  const record = `${own}/${pid}-${address}-${port}-${env.time_unix ?? ''}-${virtual}`;
  const before = lstatSync(record, { throwIfNoEntry: false });
  if (own !== undefined && (before === undefined || before.isFile())) {
    const names = [
      'ifconfig_pool_remote_ip',
      'ifconfig_pool_remote_ip6',
      'time_unix',
      'dev',
      'config',
      'common_name',
    ];
    const fields = [
      'subflowd-event=1',
      `script_type=${env.script_type ?? ''}`,
      `daemon_pid=${pid}`,
      `trusted_ip=${address}`,
      `trusted_port=${port}`,
      ...names.map((name) => `${name}=${env[name] ?? ''}`),
      `protocols=${[1, 2, 3, 4, 5, 6, 7, 8].map((n) => env[`proto_${n}`] ?? '').join(' ')}`,
      'end',
    ];
    writeFileSync(record, fields.map((field) => `${field}\0`).join(''), { mode: 0o600 });
  }
}
