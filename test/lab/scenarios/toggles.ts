// 200 switches back and forth while a client transfers in both directions. A wrong write to the kernel would show here.
import type { SessionPlan } from '../../../src/api/status.js';
import { rise, readCounters, trouble } from '../counters.js';
import { payloadSha256 } from '../payload.js';
import { HelperProcess } from '../helper-process.js';
import { Sidecar } from '../sidecar.js';
import { writeRules } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { figure6Paths } from '../network.js';
import { startWeb, Transfer } from '../web.js';
import { command, reconnects, say, scenario, untilStatus, wantedBackend } from './scenario.js';

const SWITCHES = 200;
/** Size of one transfer. Transfers are repeated until the last switch. */
const BYTES = 2_000_000;

await scenario(async (cleanup, out) => {
  const paths = figure6Paths.map((one) => ({ ...one, rateMbit: 3 }));
  const stage = await buildStage(cleanup, { paths, backend: wantedBackend(), logs: out });
  await writeRules(stage.files, paths, { alice: 'wifi' });
  const { server } = stage.network;
  const helper = await HelperProcess.start(server, `${stage.files.config}.helper`, `${out}/helper.log`);
  cleanup.add(() => helper.stop());
  const sidecar = Sidecar.start(server, stage.files.config, `${out}/subflowd.log`, { helper });
  cleanup.add(() => sidecar.stop());
  await untilStatus(stage.files, 'the sidecar answers', () => true);
  const tunnel = await stage.connect(0, 'alice');
  await untilStatus(stage.files, 'alice is on wifi', ({ sessions }) =>
    sessions.some(({ state, primary }) => state === 'obeyed' && primary === 'wifi'),
  );
  await startWeb(cleanup, stage.network);
  const host = stage.network.clients[0]?.namespace;
  if (host === undefined) throw new Error('the network has no client');
  const count = async () => ({
    server: await readCounters(stage.network.server),
    client: await readCounters(host),
  });
  const begin = await count();

  let isSwitching = true;
  const transfers = { down: 0, up: 0, wrong: 0 };
  const transferUntilEnd = async (direction: 'down' | 'up') => {
    while (isSwitching) {
      const { network } = stage;
      const transfer =
        direction === 'down'
          ? Transfer.download(network, host, BYTES)
          : Transfer.upload(network, host, BYTES);
      const { sha256 } = await transfer.done;
      transfers[direction]++;
      if (sha256 !== payloadSha256(BYTES)) transfers.wrong++;
    }
  };
  const loads = [transferUntilEnd('down'), transferUntilEnd('up')];
  const answers: string[] = [];
  /** What status says of alice once she is on a path. */
  const verdict = async (path: string) => {
    const isOn = ({ state, primary }: SessionPlan) => state === 'obeyed' && primary === path;
    const { sessions } = await untilStatus(stage.files, `alice is on ${path}`, (status) =>
      status.sessions.some(isOn),
    );
    const alice = sessions.find(isOn);
    return `${alice?.state}, ${alice?.reason}`;
  };
  for (let i = 0; i < SWITCHES; i++) {
    const path = i % 2 === 0 ? 'lte' : 'wifi';
    const [answer = ''] = await command(stage.files, `mptcp primary alice ${path}`);
    // in an emulated guest a round can take longer than the console waits
    answers.push(answer.includes('will be tried') ? await verdict(path) : answer);
    if (i % 20 === 19) say(`${i + 1} switches`);
  }
  isSwitching = false;
  await Promise.all(loads);
  say(`transfers: ${transfers.down} down, ${transfers.up} up`);
  const end = await count();
  return {
    switches: (await sidecar.switches()).length,
    answers,
    transfers,
    reconnects: await reconnects([tunnel]),
    mpPrioSent: rise('MPTcpExtMPPrioTx', begin.server, end.server),
    mpPrioReceived: rise('MPTcpExtMPPrioRx', begin.client, end.client),
    trouble: { server: trouble(begin.server, end.server), client: trouble(begin.client, end.client) },
  };
});
