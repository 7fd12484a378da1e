import { existsSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { needs } from '../lab/needs.js';
import type { LoopbackVpn } from '../support/openvpn.js';
import { Office, sectionOf } from '../support/office.js';
import { until } from '../support/until.js';
import { vpnForTest } from '../support/vpn-for-test.js';

// The waits here are not timed: each has its own bound.

needs('root', 'tun', 'openvpn');

let vpn: LoopbackVpn;
let office: Office;

beforeEach(async () => {
  vpn = await vpnForTest();
});

function section(name: string) {
  const socket = vpn.at(`m-${name}`);
  return { name, management: { socket }, console: { socket: vpn.at(`${name}.sock`) } };
}

describe('several servers', () => {
  it('each have a console, and a killed server does not disturb the consoles of the others', async () => {
    const [home, work] = [section('home'), section('work')];
    const first = await vpn.server({ management: home.management.socket });
    const second = await vpn.server({ management: work.management.socket, number: 1 });
    await vpn.client('alice');
    await vpn.client('bob', { number: 1 });
    office = await Office.open(vpn, [home, work]);
    const [atHome, atWork, own] = [
      await office.join('home.sock'),
      await office.join('work.sock'),
      await office.join('console'),
    ];
    expect(await atHome.ask('pid')).toEqual([`SUCCESS: pid=${first.pid}`]);
    expect(await atWork.ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
    expect((await atHome.ask('status 3')).join('\n')).toMatch(/CLIENT_LIST\talice\t/);
    own.say('status 3');
    expect(await own.hears(/^ERROR/)).toBe(
      'ERROR: unknown command "status", try help; for OpenVPN\'s commands, connect to ' +
        `${home.console.socket} or ${work.console.socket}`,
    );
    await first.kill('SIGKILL');
    await atHome.hears(/^>INFO:OpenVPN home is lost/);
    expect(await atWork.ask('load-stats')).toEqual([expect.stringMatching(/^SUCCESS: nclients=1,/)]);
    expect(atWork.count(/is lost/)).toBe(0);
    const again = await vpn.server({ management: home.management.socket });
    await until('OpenVPN is back', () => atHome.count(/^>INFO:OpenVPN Management Interface/) === 2);
    expect(await atHome.ask('pid')).toEqual([`SUCCESS: pid=${again.pid}`]);
    expect(await atWork.ask('pid')).toEqual([`SUCCESS: pid=${second.pid}`]);
  });

  it('open and close their consoles with the config, and a server that remains keeps its clients', async () => {
    const [home, work] = [section('home'), section('work')];
    await vpn.server({ management: home.management.socket });
    await vpn.server({ management: work.management.socket, number: 1 });
    office = await Office.open(vpn, [home]);
    const atHome = await office.join('home.sock');
    // While there is only one server, subflowd's own console serves it, too.
    expect((await (await office.join('console')).ask('pid'))[0]).toMatch(/^SUCCESS: pid=/);
    const { servers, consoles } = office;
    const follow = (...sections: readonly ReturnType<typeof section>[]) => {
      servers.reconfigure(sections.map((each) => sectionOf(vpn, each)));
      consoles.follow(servers.servers());
    };
    follow(home, work);
    await until('the console is open', () => existsSync(work.console.socket));
    await office.isConnected();
    const atWork = await office.join('work.sock');
    expect((await atWork.ask('pid'))[0]).toMatch(/^SUCCESS: pid=/);
    follow(home);
    await until('the console is closed', () => atWork.ended && !existsSync(work.console.socket));
    expect((await atHome.ask('pid'))[0]).toMatch(/^SUCCESS: pid=/);
    expect(atHome.count(/^>INFO/)).toBe(1);
    expect(office.problems).toEqual([]);
  });
});

it('a command that changes OpenVPN is logged, and a query is not', async () => {
  await vpn.server({ management: vpn.at('m') });
  office = await Office.open(vpn);
  const talker = await office.join();
  await talker.ask('verb');
  await talker.ask('verb 2');
  expect(office.orders.filter((order) => !order.includes('MARK'))).toEqual(['office 1 verb 2']);
});
