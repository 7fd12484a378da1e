// An admin's installation, as openvpn-conf/ says, where systemd is process 1: Debian's openvpn-server@ with the drop-in,
// subflowd.service, hooks in the sandbox. The sidecar is stopped, killed and restarted, the server restarted meanwhile.
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
  takeDirectoriesBack,
  takeSidecarOutside,
} from './installation.js';
import { command, PATIENCE_MS, say, scenario, untilStatus } from './scenario.js';
import { sandboxed, SystemdUnit } from './systemd-unit.js';

const ALICE = 'alice.example.com';
const VAN = 'one.vans.example.com';
const server = new SystemdUnit('openvpn-server@lab.service');
const olderServer = new SystemdUnit('openvpn@lab.service');
const sidecar = new SystemdUnit('subflowd.service');

await scenario(async (cleanup, out) => {
  const network = await buildNetwork(cleanup, { clients: 2 });
  await execa('mkdir', ['-p', '/etc/openvpn/server/pki']);
  const authority = await Authority.create('/etc/openvpn/server/pki');
  await install(network.server, await serverConfig(network, authority, { dropPrivileges: true }));
  say('installed');

  cleanup.add(() => keepJournals(out));
  cleanup.add(() => server.systemctl('stop'));
  await server.systemctl('enable', '--now');
  say('the server serves');
  // what is there was made by a version before
  await takeDirectoriesBack();
  cleanup.add(() => sidecar.systemctl('stop'));
  await sidecar.systemctl('enable', '--now');
  // by netlink it has to be there when clients join
  await untilStatus(installed, 'the sidecar', () => true);
  say('the sidecar is started');

  const connect = async (host: ClientHost | undefined, commonName: string) => {
    if (host === undefined) throw new Error('the network has no such client');
    const lines = await clientConfig(network, authority, commonName);
    const ours = await readFile(path.join(checkout, 'openvpn-conf/client.conf'), 'utf8');
    return startClient(cleanup, host, out, commonName, [...lines, ours]);
  };
  const alice = await connect(network.clients[0], ALICE);
  say('alice is connected');
  const first = await obeyed('alice on lte', ALICE, 'lte');
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
    doctor: JSON.parse((await network.server.run('subflowd', ['doctor', '--json'])).stdout) as unknown,
  };
  say('alice obeys her rule');
  const victim = execa('sleep', ['infinity'], { reject: false });
  cleanup.add(async () => {
    victim.kill();
    await victim;
  });
  const attempts = await attempt(victim.pid ?? 0, await server.pid());
  const userOfSidecar = Number((await execa('id', ['--user', 'subflowd'])).stdout);
  say('what the sidecar must not be able to do was tried');

  await sidecar.systemctl('stop');
  const whenStopped = await records();
  await alice.stop();
  await until('the record of alice is gone', async () => (await records()).length === 0, PATIENCE_MS);
  await connect(network.clients[1], VAN);
  const whileDown = await records();
  say('while the sidecar was down alice left and the van came');
  await sidecar.systemctl('start');
  // nobody listened when it came: it has the one path that it connected by
  const afterStart = await obeyed('the van on wifi', VAN, 'wifi', { subflows: 1 });
  say('started again: the van obeys its rule as far as it can');

  const before = await sidecar.pid();
  await sidecar.systemctl('kill', '--signal=KILL');
  await until(
    'systemd starts it again',
    async () => {
      const pid = await sidecar.pid();
      return pid !== 0 && pid !== before;
    },
    PATIENCE_MS,
  );
  const afterKill = await obeyed('the van on wifi after the kill', VAN, 'wifi', { subflows: 1 });
  const { NRestarts: restarts } = await sidecar.show('NRestarts');
  say('killed: systemd started it again');

  const serverBefore = await server.pid();
  await server.systemctl('restart');
  const serverAfter = await server.pid();
  const afterRestart = await obeyed('the van on lte after the restart', VAN, 'lte', { pid: serverAfter });
  const afterRestartRecords = await records();
  say('the server was restarted: the van is found again');

  await server.systemctl('stop');
  cleanup.add(() => olderServer.systemctl('stop'));
  await olderServer.systemctl('start');
  const pid = await olderServer.pid();
  const byOlderUnit = {
    status: await obeyed('the van on lte by the older unit', VAN, 'lte', { pid }),
    server: { ...(await sandboxed(pid)), ...(await olderServer.show('FragmentPath', 'DropInPaths')) },
    pid,
  };
  await olderServer.systemctl('stop');
  await server.systemctl('start');
  await obeyed('the van on lte again', VAN, 'lte', { pid: await server.pid() });
  say('the older unit served it, too');

  const ini = await readFile(installed.config, 'utf8');
  await writeFile(installed.config, ini.replace('primary = lte, wifi', 'primary = wifi'));
  const afterEdit = await obeyed('the van on wifi', VAN, 'wifi');
  await command(installed, `mptcp primary ${VAN} lte`);
  await sidecar.systemctl('restart');
  const afterOverride = await obeyed('the van on lte by override', VAN, 'lte');
  say('rule edited, override kept over a restart');

  await takeSidecarOutside();
  await place('subflowd.service.d/namespaces.conf');
  await sidecar.systemctl('restart');
  await command(installed, `mptcp primary ${VAN} wifi`);
  const fromOutside = await obeyed('the van on wifi from outside', VAN, 'wifi');
  say('outside the namespace of the server, the sidecar serves it');

  await writeFile(installed.config, `${await readFile(installed.config, 'utf8')}backend = devmem\n`);
  await place('subflowd.service.d/devmem.conf');
  await sidecar.systemctl('restart');
  await command(installed, `mptcp primary ${VAN} lte`);
  const byDevmem = {
    status: await obeyed('the van on lte by devmem', VAN, 'lte'),
    sidecar: await sandboxed(await sidecar.pid()),
  };
  say('the sidecar serves it through /dev/mem');

  return {
    fromOutside, byDevmem, byOlderUnit, attempts, userOfSidecar,
    atFirst, whenStopped, whileDown, afterStart, afterKill, restarts, afterRestart, afterRestartRecords, afterEdit, afterOverride,
    pids: { serverBefore, serverAfter },
    units: {
      server: await server.show('ActiveState', 'NRestarts'),
      sidecar: await sidecar.show('ActiveState', 'NRestarts'),
    },
    journals: { server: await server.journal(), sidecar: await sidecar.journal() },
  }; // prettier-ignore
});

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

/** Waits until one client, and nobody else, is connected, with both its paths unless told, and has this primary. */
async function obeyed(
  what: string,
  client: string,
  primary: string,
  { pid, subflows = 2 }: { readonly pid?: number; readonly subflows?: number } = {},
): Promise<DaemonStatus> {
  return untilStatus(installed, what, ({ servers, sessions: [only, ...others] }) => {
    // the hooks are quicker, but both ways have to work
    if (servers.some(({ management }) => management !== 'connected')) return false;
    if (only === undefined || others.length > 0 || only.session.commonName !== client) return false;
    if (pid !== undefined && only.connection?.pid !== pid) return false;
    return only.state === 'obeyed' && only.current === primary && only.subflows.length === subflows;
  });
}

/** What the hooks recorded: files below the events directory. A record can be removed while this reads the directory. */
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

/** Owner and mode of each user's directory: process 1 must leave them as tmpfiles made them. */
async function directories(): Promise<Record<string, { uid: number; mode: number }>> {
  const found: Record<string, { uid: number; mode: number }> = {};
  for (const user of await readdir(installed.events)) {
    const { uid, mode } = await stat(path.join(installed.events, user));
    found[user] = { uid, mode: mode & 0o7777 };
  }
  return found;
}

async function keepJournals(out: string): Promise<void> {
  for (const unit of [server, olderServer, sidecar]) {
    await writeFile(path.join(out, `${unit.name}.log`), `${(await unit.journal()).join('\n')}\n`);
  }
}
