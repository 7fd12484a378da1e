// An installation from openvpn-conf/, where systemd is process 1: Debian's openvpn-server@ with the drop-in,
// subflowd.service, and hooks that run in the sandbox. The sidecar and the server are stopped, killed and restarted.
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { DaemonStatus } from '../../../src/api/status.js';
import type { Cleanup } from '../cleanup.js';
import { checkout } from '../checkout.js';
import { buildNetwork, type ClientHost } from '../network.js';
import { clientConfig, serverConfig } from '../openvpn-config.js';
import { OpenvpnProcess } from '../openvpn.js';
import { Authority } from '../pki.js';
import { until } from '../../support/until.js';
import {
  attempt,
  install,
  installed,
  place,
  moveSidecarOutside,
  restoreOlderOwners,
} from './installation.js';
import { command, PATIENCE_MS, say, scenario, untilStatus } from './scenario.js';
import { sandboxed, SystemdUnit } from './systemd-unit.js';

const ALICE = 'alice.example.com';
const VAN = 'one.vans.example.com';
const server = new SystemdUnit('openvpn-server@lab.service');
const olderServer = new SystemdUnit('openvpn@lab.service');
const sidecar = new SystemdUnit('subflowd.service');
const helper = new SystemdUnit('subflowd-helper.service');

await scenario(async (cleanup, out) => {
  const network = await buildNetwork(cleanup, { clients: 2 });
  await execa('mkdir', ['-p', '/etc/openvpn/server/pki']);
  const authority = await Authority.create('/etc/openvpn/server/pki');
  await install(network.server, await serverConfig(network, authority, { dropPrivileges: true }));
  say('installed');

  cleanup.add(() => keepJournals(out));
  cleanup.add(() => server.systemctl('stop'));
  await server.systemctl('enable', '--now');
  say('the server is started');
  // the directories are as an older version made them
  await restoreOlderOwners();
  cleanup.add(() => sidecar.systemctl('stop'));
  await sidecar.systemctl('enable', '--now');
  // netlink needs a sidecar that runs before the clients' subflows join
  await untilStatus(installed, 'the sidecar answers', () => true);
  say('the sidecar is started');

  const connect = async (host: ClientHost | undefined, commonName: string) => {
    if (host === undefined) throw new Error('the network has no such client');
    const lines = await clientConfig(network, authority, commonName);
    const added = await readFile(path.join(checkout, 'openvpn-conf/client.conf'), 'utf8');
    return startClient(cleanup, host, out, commonName, [...lines, added]);
  };
  const alice = await connect(network.clients[0], ALICE);
  say('alice is connected');
  const first = await untilObeyed('alice is on lte', ALICE, 'lte');
  const atFirst = {
    status: first,
    records: await records(),
    directories: await directories(),
    server: {
      ...(await sandboxed(await server.pid())),
      ...(await server.show(
        'FragmentPath',
        'DropInPaths',
        'PrivateTmp',
        'ProtectSystem',
        'ProtectHome',
        'LimitNPROC',
      )),
    },
    sidecar: await sandboxed(await sidecar.pid()),
    helper: await sandboxed(await helper.pid()),
    doctor: JSON.parse((await network.server.run('subflowd', ['doctor', '--json'])).stdout) as unknown,
  };
  say('the rule of alice is obeyed');
  const victim = execa('sleep', ['infinity'], { reject: false });
  cleanup.add(async () => {
    victim.kill();
    await victim;
  });
  const attempts = {
    sidecar: await attempt('subflowd.service', victim.pid ?? 0, await server.pid()),
    helper: await attempt('subflowd-helper.service', victim.pid ?? 0, await server.pid()),
  };
  const users = {
    sidecar: Number((await execa('id', ['--user', 'subflowd'])).stdout),
    helper: Number((await execa('id', ['--user', 'subflowd-helper'])).stdout),
  };
  say('the attempts at what the sidecar and its helper must not be able to do are over');

  await sidecar.systemctl('stop');
  const whenStopped = await records();
  await alice.stop();
  await until('the record of alice is gone', async () => (await records()).length === 0, PATIENCE_MS);
  await connect(network.clients[1], VAN);
  const whileDown = await records();
  say('while the sidecar was stopped, alice disconnected and the van connected');
  await sidecar.systemctl('start');
  // the helper listened when the van connected, so it has both its paths
  const afterStart = await untilObeyed('the van is on lte', VAN, 'lte');
  say('the sidecar is started again: the van has both its paths');

  await killed(sidecar);
  const afterKill = await untilObeyed('the van is on lte after the kill', VAN, 'lte');
  await killed(helper);
  await until(
    'the sidecar has its helper again',
    async () => (await sidecar.messages('resolved')).some((line) => line.includes('helper is not connected')),
    PATIENCE_MS,
  );
  const afterHelperKill = await untilObeyed('the van is on lte after the kill of the helper', VAN, 'lte');
  const restarts = {
    sidecar: (await sidecar.show('NRestarts')).NRestarts,
    helper: (await helper.show('NRestarts')).NRestarts,
  };
  say('the sidecar and its helper were killed, and systemd started them again');

  const serverBefore = await server.pid();
  await server.systemctl('restart');
  const serverAfter = await server.pid();
  const afterRestart = await untilObeyed('the van is on lte after the restart', VAN, 'lte', {
    pid: serverAfter,
  });
  const afterRestartRecords = await records();
  say('the server was restarted, and the sidecar found the van again');

  await server.systemctl('stop');
  cleanup.add(() => olderServer.systemctl('stop'));
  await olderServer.systemctl('start');
  const pid = await olderServer.pid();
  const byOlderUnit = {
    status: await untilObeyed('the van is on lte on the older unit', VAN, 'lte', { pid }),
    server: { ...(await sandboxed(pid)), ...(await olderServer.show('FragmentPath', 'DropInPaths')) },
    pid,
  };
  await olderServer.systemctl('stop');
  await server.systemctl('start');
  await untilObeyed('the van is on lte again', VAN, 'lte', { pid: await server.pid() });
  say('the van was steered with the older unit, too');

  const ini = await readFile(installed.config, 'utf8');
  await writeFile(installed.config, ini.replace('primary = lte, wifi', 'primary = wifi'));
  const afterEdit = await untilObeyed('the van is on wifi after the edit', VAN, 'wifi');
  await command(installed, `mptcp primary ${VAN} lte`);
  await sidecar.systemctl('restart');
  const afterOverride = await untilObeyed('the van is on lte by its override', VAN, 'lte');
  say('an edited rule took effect, and an override outlived a restart');

  await moveSidecarOutside();
  await place('subflowd-helper.service.d/namespaces.conf');
  await restartBoth();
  await command(installed, `mptcp primary ${VAN} wifi`);
  const fromOutside = await untilObeyed('the van is on wifi, from outside', VAN, 'wifi');
  say('the sidecar steers the van from outside the network namespace of the server');

  await writeFile(installed.config, `${await readFile(installed.config, 'utf8')}backend = devmem\n`);
  await place('subflowd-helper.service.d/devmem.conf');
  await restartBoth();
  await command(installed, `mptcp primary ${VAN} lte`);
  const byDevmem = {
    status: await untilObeyed('the van is on lte by devmem', VAN, 'lte'),
    sidecar: await sandboxed(await sidecar.pid()),
    helper: await sandboxed(await helper.pid()),
  };
  say('the sidecar steers the van through /dev/mem');

  return {
    fromOutside, byDevmem, byOlderUnit, attempts, users,
    atFirst, whenStopped, whileDown, afterStart, afterKill, afterHelperKill, restarts, afterRestart, afterRestartRecords, afterEdit, afterOverride,
    pids: { serverBefore, serverAfter },
    units: {
      server: await server.show('ActiveState', 'NRestarts'),
      sidecar: await sidecar.show('ActiveState', 'NRestarts'),
      helper: await helper.show('ActiveState', 'NRestarts'),
    },
    journals: { server: await server.journal(), problems: await sidecar.messages('problem') },
  }; // prettier-ignore
});

/** Kills a unit, and waits until systemd has started it again. */
async function killed(unit: SystemdUnit): Promise<void> {
  const before = await unit.pid();
  await unit.systemctl('kill', '--signal=KILL');
  await until(
    `systemd has started ${unit.name} again`,
    async () => {
      const pid = await unit.pid();
      return pid !== 0 && pid !== before;
    },
    PATIENCE_MS,
  );
}

/** What an admin does after a change of a drop-in. */
async function restartBoth(): Promise<void> {
  await helper.systemctl('restart');
  await sidecar.systemctl('restart');
}

async function startClient(
  cleanup: Cleanup,
  host: ClientHost,
  out: string,
  commonName: string,
  lines: readonly string[],
): Promise<OpenvpnProcess> {
  const openvpn = await OpenvpnProcess.start(host.namespace, out, commonName, lines);
  cleanup.add(() => openvpn.stop());
  await openvpn.ready(PATIENCE_MS);
  return openvpn;
}

/**
 * Waits until only this client is connected, its rule is obeyed, and it has this primary.
 * @param what the condition, for the error.
 * @param options the server's process, any by default, and the client's number of subflows, 2 by default.
 */
async function untilObeyed(
  what: string,
  client: string,
  primary: string,
  { pid, subflows = 2 }: { readonly pid?: number; readonly subflows?: number } = {},
): Promise<DaemonStatus> {
  return untilStatus(installed, what, ({ servers, sessions: [only, ...others] }) => {
    // the hooks report sessions earlier, but management must work, too
    if (servers.some(({ management }) => management !== 'connected')) return false;
    if (only === undefined || others.length > 0 || only.session.commonName !== client) return false;
    if (pid !== undefined && only.connection?.pid !== pid) return false;
    return only.state === 'obeyed' && only.current === primary && only.subflows.length === subflows;
  });
}

/** The records of the hooks. A record can be removed while this reads the directory. */
async function records(): Promise<{ file: string; uid: number; fields: string[] }[]> {
  const found = [];
  for (const user of await readdir(installed.events)) {
    for (const name of await readdir(path.join(installed.events, user))) {
      const file = path.join(installed.events, user, name);
      const record = await open(file).catch(ifMissing);
      if (record === undefined) continue;
      try {
        const { uid } = await record.stat();
        found.push({ file, uid, fields: (await record.readFile('utf8')).split('\0') });
      } finally {
        await record.close();
      }
    }
  }
  return found;
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** Owner and mode of each user's directory. systemd must not change what systemd-tmpfiles has set. */
async function directories(): Promise<Record<string, { uid: number; mode: number }>> {
  const found: Record<string, { uid: number; mode: number }> = {};
  for (const user of await readdir(installed.events)) {
    const { uid, mode } = await stat(path.join(installed.events, user));
    found[user] = { uid, mode: mode & 0o7777 };
  }
  return found;
}

async function keepJournals(out: string): Promise<void> {
  for (const unit of [server, olderServer, sidecar, helper]) {
    await writeFile(path.join(out, `${unit.name}.log`), `${(await unit.journal()).join('\n')}\n`);
  }
}
