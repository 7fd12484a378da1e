import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { decide } from '../../../src/setup/decide.js';
import {
  INI,
  CONFIG,
  DROP_IN,
  HELPER_DROP_IN,
  TCP,
  textOf,
  linesOf,
  changesOf,
} from './decisions-for-test.js';
import { hostFacts, serverFacts } from './facts-for-test.js';

describe('a TCP server', () => {
  const monitored = `${TCP}management 127.0.0.1 7505\nuser nobody\nclient-connect /etc/openvpn/check.sh`;

  it('gets MPTCP, hooks and a management interface', () => {
    const facts = hostFacts([serverFacts(TCP, { command: '/usr/sbin/openvpn --config %i.conf' })]);
    const decision = decide(facts, {});
    expect(textOf(decision, CONFIG)).toBe(
      `${TCP}# added by subflowd setup (to remove it: subflowd setup --undo)
script-security 2
client-connect /usr/lib/subflowd/hooks/client-connect
client-disconnect /usr/lib/subflowd/hooks/client-disconnect
ignore-unknown-option disable-dco
disable-dco
management /run/subflowd/management/office.sock unix
`,
    );
    expect(textOf(decision, DROP_IN)).toContain(
      'ExecStart=\nExecStart=/usr/bin/mptcpize run /usr/sbin/openvpn --config %i.conf\n',
    );
    expect(changesOf(facts, decision)).toEqual([]);
  });

  it('has its monitor at the same address, where subflowd answers', () => {
    const facts = hostFacts([
      serverFacts(monitored, { managementClients: [{ pid: 7, program: 'nc', user: 'monitor' }] }),
    ]);
    const decision = decide(facts, {});
    const lines = linesOf(decision, CONFIG);
    expect(lines[2]).toBe('management /run/subflowd/management/office.sock unix');
    expect(lines[4]).toBe(
      'client-connect "/usr/lib/subflowd/hooks/client-connect-chained /etc/openvpn/check.sh"',
    );
    expect(textOf(decision, INI)).toContain(
      '[openvpn office]\nmanagement = /run/subflowd/management/office.sock\nconsole-listen = 127.0.0.1 7505\nconsole-hangup = yes\n',
    );
    expect(textOf(decision, INI)).toContain('[console]\ngroup = subflowd\n');
    expect(decision.consoleUsers).toEqual(['monitor']);
    expect(parseConfig(textOf(decision, INI))).toMatchObject({ ok: true });
    expect(changesOf(facts, decision)).toEqual([]);
  });

  it('has its password file read by systemd for the daemon, which may not read files of root', () => {
    const decision = decide(hostFacts([serverFacts(`${TCP}management 127.0.0.1 7505 pw\n`)]), {});
    expect(
      textOf(decision, '/etc/systemd/system/subflowd.service.d/management-password-office.conf'),
    ).toContain('LoadCredential=management-password-office:/etc/openvpn/server/pw\n');
    const copy = '/run/credentials/subflowd.service/management-password-office';
    expect(textOf(decision, INI)).toContain(`password-file = ${copy}\n`);
    expect(textOf(decision, INI)).toContain(`console-password-file = ${copy}\n`);
    expect(linesOf(decision, CONFIG)).toContain(
      'management /run/subflowd/management/office.sock unix /etc/openvpn/server/pw',
    );
  });

  it('is with those of subflowd.ini the only OpenVPN that the helper touches, unless one of these is not known', () => {
    const unitsWith = (ini: string) =>
      textOf(decide({ ...hostFacts([serverFacts(TCP)]), ini }, {}), HELPER_DROP_IN);
    expect(unitsWith('[path wifi]\nprefix = 192.0.2.0/24\n')).toContain(
      'ExecStart=subflowd helper --unit openvpn-server@office.service\n',
    );
    for (const line of ['management = /run/other.sock', 'events = /run/subflowd/events'])
      expect(unitsWith(`[openvpn other]\n${line}\n`)).toBe('');
  });

  it('with a program that decides about clients gets console-auth', () => {
    const text = `${TCP}management /run/auth.sock unix pw\nmanagement-client-auth\n`;
    const decision = decide(hostFacts([serverFacts(text)]), {});
    expect(textOf(decision, INI)).toContain('console-auth = /run/subflowd/office-auth.sock\n');
    expect(textOf(decision, '/etc/tmpfiles.d/subflowd-office.conf')).toContain(
      'L+ /run/auth.sock - - - - /run/subflowd/office-auth.sock\n',
    );
    expect(linesOf(decision, CONFIG)[2]).toBe(
      'management /run/subflowd/management/office.sock unix /etc/openvpn/server/pw',
    );
  });

  it.each([
    ['management 0.0.0.0 7505', 'without a password'],
    ['management 127.0.0.1 7505 stdin', 'standard input'],
    ['management 127.0.0.1 705', 'where only root may answer'],
    ['management 127.0.0.1 7505\nmanagement-client', 'management-client'],
  ])('is left alone with: %s', (line, why) => {
    const { files, obstacles } = decide(hostFacts([serverFacts(`${TCP}${line}\n`)]), {});
    expect(files).toEqual([]);
    expect(obstacles[0]?.what).toContain(why);
  });

  it('that also serves UDP (OpenVPN 2.7) counts as a TCP server', () => {
    const text = 'local 192.0.2.1 1194 udp\nlocal 192.0.2.1 1194 tcp-server\nserver 10.8.0.0 255.255.255.0\n';
    const { files, newUnits } = decide(hostFacts([serverFacts(text)]), {});
    expect(files.map(({ path }) => path)).toContain(CONFIG);
    expect(newUnits).toEqual([]);
  });

  it('has options of an included file overridden behind them', () => {
    const files = { '/etc/openvpn/server/common.conf': 'management 127.0.0.1 7505\n' };
    const facts = hostFacts([serverFacts(`${TCP}config common.conf\n`, {}, files)]);
    const lines = linesOf(decide(facts, {}), CONFIG);
    expect(lines.slice(0, 3)).toEqual([
      'proto tcp-server',
      'server 10.8.0.0 255.255.255.0',
      'config common.conf',
    ]);
    expect(lines).toContain('management /run/subflowd/management/office.sock unix');
  });

  it('with two client-connect lines has both named', () => {
    const { warnings } = decide(hostFacts([serverFacts(`${TCP}client-connect /a\nclient-connect /b\n`)]), {});
    expect(warnings).toEqual([
      `client-connect is written twice, and OpenVPN runs only the last: ${CONFIG}:3 (/a) has no effect, ${CONFIG}:4 (/b) has`,
    ]);
  });

  it('keeps script-security 1, and then gets no hooks', () => {
    const decision = decide(hostFacts([serverFacts(`${TCP}script-security 1\n`)]), {});
    expect(textOf(decision, CONFIG)).not.toContain('client-connect');
    expect(decision.notes.join()).toContain('script-security 1');
  });

  it('whose user has no directory for records gets one', () => {
    const decision = decide(hostFacts([serverFacts(`${TCP}user openvpn\n`)]), {});
    expect(textOf(decision, '/etc/tmpfiles.d/subflowd-setup.conf')).toContain(
      'd /run/subflowd/events/openvpn 2770 openvpn subflowd-hooks -',
    );
  });

  it('without a unit is not done', () => {
    const server = { ...serverFacts(TCP) };
    delete (server as { unit?: string }).unit;
    const { files, obstacles } = decide(hostFacts([server]), {});
    expect(files).toEqual([]);
    expect(obstacles[0]?.what).toContain('without a systemd unit');
  });
});
