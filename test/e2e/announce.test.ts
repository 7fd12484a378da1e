import { beforeEach, describe, expect, test } from 'vitest';
import type { DaemonStatus } from '../../src/api/status.js';
import { Cleanup } from '../lab/cleanup.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths, type ClientHost } from '../lab/network.js';
import { payloadSha256 } from '../lab/payload.js';
import { command, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { startWeb, Transfer } from '../lab/web.js';

const paths = figure6Paths;

let cleanup: Cleanup;

/** A server on IPv6 and IPv4, and one client with IPv4 on its wifi and IPv6 on its lte. */
async function stageWithSplitFamilies(): Promise<{ stage: Stage; host: ClientHost }> {
  const stage = await buildStage(cleanup, { paths, backend: 'netlink', family: 6 });
  const [host] = stage.network.clients;
  if (!host?.addresses.wifi || !host.addresses.lte) throw new Error('the network has no client');
  await host.namespace.ip([
    `address del ${host.addresses.wifi.v6}/64 dev wifi`,
    `address del ${host.addresses.lte.v4}/24 dev lte`,
    'route replace default via fd00:200::1 dev lte',
  ]);
  return { stage, host };
}

/** The option of OpenVPN's client that makes it reach IPv4 through a socket that can use IPv6 too. */
const mapped = ({ network }: Stage) => ({ remote: `::ffff:${network.serverAddress.v4}` });

async function startSidecar({ network, files }: Stage): Promise<Sidecar> {
  const sidecar = Sidecar.start(network.server, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the server', ({ servers }) => servers.some(({ pids }) => pids.length === 1));
  return sidecar;
}

async function writeConfig({ files }: Stage, primary: string, announced?: string): Promise<void> {
  const server = announced === undefined ? [] : [`announce = ${announced}`];
  await writeRules(files, paths, { alice: primary }, { server });
}

function isSteeredTo(path: string) {
  return ({ sessions }: DaemonStatus) =>
    sessions.some(
      ({ session, state, current, subflows }) =>
        session.commonName === 'alice' && state === 'obeyed' && current === path && subflows.length === 2,
    );
}

/** Bytes that a client's device has received. */
async function received({ namespace }: ClientHost, device: string): Promise<number> {
  const { stdout } = await namespace.run('cat', [`/sys/class/net/${device}/statistics/rx_bytes`]);
  return Number(stdout);
}

describe('announce', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('lets the IPv6 path of a client on IPv4 join its connection, and a download follows the rule there', async () => {
    const { stage, host } = await stageWithSplitFamilies();
    await writeConfig(stage, 'lte', stage.network.serverAddress.v6);
    await startSidecar(stage);
    const tunnel = await stage.connect(0, 'alice', mapped(stage));
    const { sessions, problems } = await untilStatus(stage.files, 'alice on lte', isSteeredTo('lte'));
    expect(problems).toEqual([]);
    const onPaths = sessions[0]?.subflows.map(({ path, subflow }) => [path, subflow.remote.address]);
    // The kernel lists them in the order of its hash table.
    expect(onPaths?.sort()).toEqual([
      ['lte', host.addresses.lte?.v6],
      ['wifi', host.addresses.wifi?.v4],
    ]);
    await startWeb(cleanup, stage.network);
    const size = 2_000_000;
    const before = [await received(host, 'wifi'), await received(host, 'lte')] as const;
    const download = Transfer.download(stage.network, host.namespace, size, { kbit: 8_000 });
    expect(await download.done).toMatchObject({ bytes: size, sha256: payloadSha256(size) });
    expect((await received(host, 'lte')) - before[1]).toBeGreaterThan(size * 0.95);
    expect((await received(host, 'wifi')) - before[0]).toBeLessThan(size * 0.05);
    // back to IPv4
    await writeConfig(stage, 'wifi', stage.network.serverAddress.v6);
    await untilStatus(stage.files, 'alice on wifi', isSteeredTo('wifi'));
    expect(await tunnel.reconnects()).toBe(0);
  });

  test('also lets the IPv4 path of a client on IPv6 join', async () => {
    const { stage } = await stageWithSplitFamilies();
    const { v4, v6 } = stage.network.serverAddress;
    await writeConfig(stage, 'wifi', `${v6}, ${v4}`);
    await startSidecar(stage);
    await stage.connect(0, 'alice');
    await untilStatus(stage.files, 'alice on wifi', isSteeredTo('wifi'));
  });

  test('takes effect for clients that connected before, and when the config is saved', async () => {
    const { stage } = await stageWithSplitFamilies();
    await writeConfig(stage, 'lte');
    const tunnel = await stage.connect(0, 'alice', mapped(stage));
    await startSidecar(stage);
    await untilStatus(stage.files, 'alice with one path', ({ sessions }) => sessions[0]?.state === 'absent');
    await writeConfig(stage, 'lte', stage.network.serverAddress.v6);
    await untilStatus(stage.files, 'alice on lte', isSteeredTo('lte'));
    expect(await tunnel.reconnects()).toBe(0);
  });

  test('announces again when the path was lost', async () => {
    const { stage, host } = await stageWithSplitFamilies();
    const { v6 } = stage.network.serverAddress;
    await writeConfig(stage, 'lte', v6);
    const sidecar = await startSidecar(stage);
    const tunnel = await stage.connect(0, 'alice', mapped(stage));
    await untilStatus(stage.files, 'alice on lte', isSteeredTo('lte'));
    const lteOf = ({ sessions }: DaemonStatus) =>
      sessions[0]?.subflows.find(({ path }) => path === 'lte')?.subflow.remote.port;
    const before = lteOf(await untilStatus(stage.files, 'alice', () => true));
    await host.namespace.run('ss', ['-K', 'dst', `[${v6}]`]);
    await untilStatus(
      stage.files,
      'alice on lte by another subflow',
      (status) => isSteeredTo('lte')(status) && lteOf(status) !== before,
    );
    expect(await tunnel.reconnects()).toBe(0);
    expect((await sidecar.log()).match(/"problem"/g)).toBeNull();
  });

  test('does nothing for a client whose OpenVPN uses a socket of IPv4 alone', async () => {
    const { stage } = await stageWithSplitFamilies();
    const { v4, v6 } = stage.network.serverAddress;
    await writeConfig(stage, 'lte', v6);
    await startSidecar(stage);
    await stage.connect(0, 'alice', { remote: v4, family: 4 });
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const lines = await command(stage.files, 'mptcp status');
    expect(lines.filter((line) => line.includes(':1194'))).toHaveLength(1);
    expect(lines.join('\n')).toContain('absent');
  });
});
