import { HELPER, SETUP_FILES, SETUP_UNITS } from './installed-files.js';
import type { HostFacts, ServerFacts, WantedFile } from './facts.js';

/** Commands of Debian's units, for a unit whose file could not be read. */
const USUAL_COMMANDS: readonly (readonly [unit: string, command: string])[] = [
  [
    'openvpn-server@',
    '/usr/sbin/openvpn --status %t/openvpn-server/status-%i.log --status-version 2 --suppress-timestamps --config %i.conf',
  ],
  [
    'openvpn@',
    '/usr/sbin/openvpn --daemon ovpn-%i --status /run/openvpn/%i.status 10 --cd /etc/openvpn --config /etc/openvpn/%i.conf --writepid /run/openvpn/%i.pid',
  ],
];

/** The drop-in that starts a server under mptcpize; none if it is not needed. */
export function startUnderMptcpize(
  { unit, command }: Pick<ServerFacts, 'unit' | 'command'>,
  { isAlwaysMptcp }: Pick<HostFacts, 'isAlwaysMptcp'>,
): WantedFile[] {
  const usual = USUAL_COMMANDS.find(([prefix]) => unit?.startsWith(prefix))?.[1];
  const run = command ?? usual;
  if (isAlwaysMptcp || unit === undefined || run === undefined || run.includes('mptcpize')) return [];
  return [
    {
      path: `${SETUP_FILES.units}/${unit}.service.d/subflowd.conf`,
      text: [
        '# made by subflowd setup: starts this server so that its TCP is MPTCP',
        '[Unit]',
        '# subflowd must run when clients join',
        `After=${SETUP_UNITS[0]}.service`,
        '',
        '[Service]',
        'ExecStart=',
        `ExecStart=/usr/bin/mptcpize run ${run}`,
        '',
      ].join('\n'),
      mode: 0o644,
      why: `${unit} starts under mptcpize, so that its TCP is MPTCP`,
      unit,
    },
  ];
}

/**
 * The drop-in that lets the helper touch these servers alone. Its name comes before override.conf, so the admin's own drop-in
 * (systemctl edit) wins.
 * @param units such as `openvpn-server@office`, at least one.
 */
export function helperDropIn(units: readonly string[]): WantedFile {
  const named = units.toSorted().map((unit) => `--unit ${unit}.service`);
  return {
    path: `${SETUP_FILES.units}/${HELPER}.service.d/10-setup.conf`,
    text: [
      '# made by subflowd setup: the helper touches no OpenVPN but these',
      '[Service]',
      'ExecStart=',
      `ExecStart=subflowd helper ${named.join(' ')}`,
      '',
    ].join('\n'),
    mode: 0o644,
    why: `the helper of subflowd, which may change the kernel, touches no OpenVPN but ${units.toSorted().join(', ')}`,
  };
}
