import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/parse.js';
import { decide } from '../../../src/setup/decide.js';
import type { Decision } from '../../../src/setup/facts.js';
import {
  INI,
  CONFIG,
  INSTANCE,
  HELPER_DROP_IN,
  INSTANCE_DROP_IN,
  TCP,
  textOf,
  linesOf,
  afterwards,
  changesOf,
} from './decisions-for-test.js';
import { hostFacts, SAMPLE, serverFacts } from './facts-for-test.js';

describe('a UDP server', () => {
  const facts = hostFacts([serverFacts(SAMPLE, { clientAddresses: ['198.51.100.7', '198.51.100.9'] })]);
  const decision = decide(facts, {});

  it('stays as it is, and gets a TCP instance', () => {
    expect(decision.files.map(({ path }) => path)).toEqual([
      '/etc/sysctl.d/subflowd.conf',
      INI,
      HELPER_DROP_IN,
      INSTANCE,
      INSTANCE_DROP_IN,
    ]);
    expect(textOf(decision, HELPER_DROP_IN)).toContain(
      'ExecStart=subflowd helper --unit openvpn-server@office-tcp.service\n',
    );
    expect(decision.newUnits).toEqual([
      {
        unit: 'openvpn-server@office-tcp',
        isEnabled: true,
        ownFiles: ['/var/log/openvpn/ipp-tcp.txt', '/var/log/openvpn/openvpn-status-tcp.log'],
      },
    ]);
    expect(decision.sysctl).toEqual([['pm_type', '1']]);
    expect(decision.obstacles).toEqual([]);
  });

  it('has a TCP instance with the same PKI and everything else of its own', () => {
    expect(linesOf(decision, INSTANCE).slice(2)).toEqual([
      'port 1194',
      'proto tcp-server',
      'dev tun',
      'ca ca.crt',
      'cert server.crt',
      'key server.key',
      'dh dh2048.pem',
      'topology subnet',
      'server 10.9.0.0 255.255.255.0',
      'ifconfig-pool-persist /var/log/openvpn/ipp-tcp.txt',
      'keepalive 10 120',
      'tls-auth ta.key 0',
      'persist-key',
      'persist-tun',
      'status /var/log/openvpn/openvpn-status-tcp.log',
      'verb 3',
      '',
      '# of this instance',
      'management /run/subflowd/management/office-tcp.sock unix',
      'script-security 2',
      'client-connect /usr/lib/subflowd/hooks/client-connect',
      'client-disconnect /usr/lib/subflowd/hooks/client-disconnect',
      'ignore-unknown-option disable-dco',
      'disable-dco',
      '',
    ]);
  });

  it('gets a subflowd.ini without a mistake, with the networks of its clients', () => {
    const ini = textOf(decision, INI);
    expect(parseConfig(ini)).toMatchObject({ ok: true });
    expect(ini).toContain('[openvpn office-tcp]\nmanagement = /run/subflowd/management/office-tcp.sock');
    expect(ini).toContain('; prefix = 198.51.100.0/24   ; 2 clients now');
  });

  it('needs nothing more after that', () => {
    expect(changesOf(facts, decision)).toEqual([]);
  });

  it('keeps its monitor, and the TCP instance has a console beside it', () => {
    const text = `${SAMPLE}management 127.0.0.1 7505 pw\n`;
    const { nextSteps, ...rest } = decide(hostFacts([serverFacts(text)]), {});
    expect(textOf(rest as Decision, INI)).toContain(
      [
        'management = /run/subflowd/management/office-tcp.sock',
        'password-file = /run/credentials/subflowd.service/management-password-office-tcp',
        'console-listen = 127.0.0.1 7506',
        'console-password-file = /run/credentials/subflowd.service/management-password-office-tcp',
      ].join('\n'),
    );
    expect(nextSteps.join()).toContain('127.0.0.1 7506');
    expect(textOf(rest as Decision, CONFIG)).toBe('');
  });

  it('goes on deciding by its scripts', () => {
    const text = `${SAMPLE}script-security 3\nclient-connect "/etc/openvpn/check.sh 'a b'"\n`;
    const lines = linesOf(decide(hostFacts([serverFacts(text)]), {}), INSTANCE);
    expect(lines).toContain('script-security 3');
    expect(lines).not.toContain('script-security 2');
    expect(lines).toContain(
      `client-connect "/usr/lib/subflowd/hooks/client-connect-chained /etc/openvpn/check.sh 'a b'"`,
    );
    expect(lines).toContain('client-disconnect /usr/lib/subflowd/hooks/client-disconnect');
  });

  it('gets no hooks in a chroot', () => {
    const text = `${SAMPLE}chroot /var/lib/openvpn\nclient-connect /check.sh\nscript-security 2\n`;
    const inChroot = decide(hostFacts([serverFacts(text)]), {});
    expect(linesOf(inChroot, INSTANCE)).toContain('client-connect /check.sh');
    expect(inChroot.notes.join()).toContain('chroot /var/lib/openvpn');
  });

  it('gets another port and network if they are taken', () => {
    const other = serverFacts('proto tcp-server\nserver 10.9.0.0 255.255.255.0\n', { name: 'other' });
    const both = decide(hostFacts([serverFacts(SAMPLE), other]), { server: 'office' });
    expect(linesOf(both, INSTANCE)).toContain('port 1195');
    expect(linesOf(both, INSTANCE)).toContain('server 10.10.0.0 255.255.255.0');
  });

  it('becomes one file with what it includes', () => {
    const files = { '/etc/openvpn/server/common.conf': 'proto udp4\nserver 10.8.0.0 255.255.255.0\n' };
    const included = decide(hostFacts([serverFacts('config common.conf\ndev tun5\n', {}, files)]), {});
    const lines = linesOf(included, INSTANCE);
    expect(lines).toContain('# config common.conf');
    expect(lines).toContain('proto tcp4-server');
    expect(lines).toContain('server 10.9.0.0 255.255.255.0');
    expect(lines).toContain('dev tun');
  });

  it('keeps inline blocks, also with words of options in them', () => {
    const text = `${SAMPLE}<ca>\nserver 10.8.0.0 255.255.255.0\n</ca>\n`;
    const lines = linesOf(decide(hostFacts([serverFacts(text)]), {}), INSTANCE);
    expect(lines.slice(lines.indexOf('<ca>'))).toEqual(
      expect.arrayContaining(['<ca>', 'server 10.8.0.0 255.255.255.0', '</ca>']),
    );
  });

  it('with addresses that setup cannot choose is not done, and setup says why', () => {
    const { files, obstacles } = decide(
      hostFacts([serverFacts('mode server\nifconfig-pool 10.8.0.2 10.8.0.9\n')]),
      {},
    );
    expect(files).toEqual([]);
    expect(obstacles[0]?.what).toContain('server NETWORK NETMASK');
  });

  it('has its lines of the firewall named', () => {
    const rule = 'ip saddr 10.8.0.0/24 oifname "eth0" masquerade';
    const { nextSteps } = decide(
      hostFacts([serverFacts(SAMPLE)], { firewall: ['udp dport 1194 accept', rule] }),
      {},
    );
    expect(nextSteps).toContain('firewall: beside "udp dport 1194 accept", allow TCP port 1194');
    expect(nextSteps).toContain(`firewall: beside "${rule}", add the same for 10.9.0.0/24`);
  });
});

describe('subflowd.ini', () => {
  const facts = hostFacts([serverFacts(TCP)]);

  it('observes, and steers again', () => {
    const observing = decide(facts, { dryRun: 'observe' });
    const ini = textOf(observing, INI);
    expect(parseConfig(ini)).toMatchObject({ ok: true, config: { steering: { dryRun: true } } });
    expect(changesOf(facts, observing)).toEqual([]);
    const steering = textOf(decide(afterwards(facts, observing), { dryRun: 'steer' }), INI);
    expect(steering).toBe(textOf(decide(facts, {}), INI));
  });

  it('keeps what the admin wrote', () => {
    const ini = '[openvpn home]\nmanagement = /run/home.sock\n[steering]\nmoves = 3 ; few';
    const text = textOf(decide({ ...facts, ini }, { dryRun: 'observe' }), INI);
    expect(text).toContain(
      '[openvpn home]\nmanagement = /run/home.sock\n[steering]\ndry-run = yes\nmoves = 3 ; few\n',
    );
    expect(text).toContain('[openvpn office]');
    expect(parseConfig(text)).toMatchObject({ ok: true });
  });

  it('with backend = devmem keeps the path manager of the kernel', () => {
    const ini = '[openvpn home]\nmanagement = /run/home.sock\n[kernel]\nbackend = devmem\n';
    const { sysctl, files } = decide({ ...facts, ini }, {});
    expect(sysctl).toEqual([]);
    expect(files.map(({ path }) => path)).not.toContain('/etc/sysctl.d/subflowd.conf');
  });
});

describe('a host', () => {
  it.each([
    ['without mptcpize', { hasMptcpize: false }, 'mptcpize'],
    ['whose kernel has no MPTCP', { mptcp: {} }, 'no MPTCP'],
    ['without a server', { servers: [] }, 'no config'],
  ])('%s is left alone', (_name, found, what) => {
    const { files, obstacles } = decide(hostFacts([serverFacts(TCP)], found), {});
    expect(files).toEqual([]);
    expect(obstacles.map((each) => each.what).join()).toContain(what);
  });

  it('has no server of another name', () => {
    const { files, obstacles } = decide(hostFacts([serverFacts(TCP)]), { server: 'home' });
    expect(files).toEqual([]);
    expect(obstacles[0]).toEqual({ what: 'there is no server home', remedy: 'name one of these: office' });
  });

  it('with a config of a client only is left alone', () => {
    expect(decide(hostFacts([serverFacts('client\nremote 192.0.2.1\n')]), {}).files).toEqual([]);
  });
});
