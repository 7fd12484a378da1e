// A client whose paths die, lose large packets, are held back by the client, and end. It needs no classifier of packets, which
// the lab's guests lack.
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionPlan } from '../../../src/api/status.js';
import type { ClientHost } from '../network.js';
import { figure6Paths } from '../network.js';
import { breakPathByNetem, loseLargePackets } from '../path-fault.js';
import { Sidecar } from '../sidecar.js';
import { writeRules } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { Stream } from '../stream.js';
import { command, say, scenario, statusOf, untilStatus, wantedBackend } from './scenario.js';

/** An emulated processor has little time for the tunnel. */
const MBIT = 1;
const DEAD_MS = 8000;
const paths = figure6Paths;

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, { paths, backend: wantedBackend(), logs: out });
  const { files, network } = stage;
  const [host] = network.clients as [ClientHost];
  const lte = host.addresses.lte?.v4 ?? '';
  await writeRules(files, paths, { alice: 'wifi, lte' });
  const sidecar = Sidecar.start(network.server, files.config, `${out}/subflowd.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the sidecar answers', () => true);
  const untilAlice = async (what: string, condition: (alice: SessionPlan) => boolean) => {
    const { sessions } = await untilStatus(files, what, (status) => status.sessions.some(condition));
    const [alice] = sessions;
    if (!alice) throw new Error('alice has no session');
    return alice;
  };
  const isOn = (path: string) => (alice: SessionPlan) => alice.current === path && alice.primary === path;

  const tunnel = await stage.connect(0, 'alice');
  await untilAlice('two subflows', ({ subflows }) => subflows.length === 2);
  const stream = await Stream.start(cleanup, network, host.namespace, MBIT);
  await untilAlice('wifi carries', (alice) => isOn('wifi')(alice) && alice.carriedOn.join() === 'wifi');

  const diedAt = Date.now();
  const revive = await breakPathByNetem(network, { path: 'wifi', client: 0 });
  const left = await untilAlice('on lte', isOn('lte'));
  const leftAt = Date.now();
  const whileDead = [];
  while (Date.now() < leftAt + DEAD_MS) {
    await sleep(250);
    const { sessions, paths: loads } = await statusOf(files);
    whileDead.push({ current: sessions[0]?.current, health: loads.map(({ health }) => health) });
  }
  const silentAtDeath = stream.longestGap(diedAt);
  const revivedAt = Date.now();
  await revive();
  await untilAlice('wifi again', isOn('wifi'));
  await sleep(3000);
  const silentAtReturn = stream.longestGap(revivedAt);
  say(
    `wifi died: on lte after ${leftAt - diedAt} ms, silent for ${silentAtDeath} ms, at its return ${silentAtReturn} ms`,
  );

  const mend = await loseLargePackets(network, { path: 'lte', client: 0 });
  const movedAt = Date.now();
  await command(files, 'mptcp primary alice lte');
  const back = await untilAlice(
    'back on wifi',
    (alice) => isOn('wifi')(alice) && alice.reason.includes('back to'),
  );
  await sleep(3000);
  const silentAtMove = stream.longestGap(movedAt);
  await mend();
  await command(files, 'mptcp primary alice auto');
  say(`lte loses large packets: ${back.reason}; silent for ${silentAtMove} ms`);

  await writeRules(files, paths, { alice: 'lte, wifi' });
  await untilAlice('on lte', isOn('lte'));
  await host.namespace.ip([`mptcp endpoint change ${lte} backup`]);
  const heldBack = await untilAlice('held back', (alice) =>
    alice.reason.includes('lte is held back by the client'),
  );
  say(`the client holds lte back: ${heldBack.reason}`);

  await host.namespace.ip([
    'mptcp endpoint flush',
    `mptcp endpoint delete id 0 ${host.addresses.wifi?.v4 ?? ''}`,
  ]);
  const lost = await untilAlice('no subflow', ({ state }) => state === 'no-subflow');
  const { problems } = await statusOf(files);
  say(`no subflow is left: ${problems.join()}`);
  return {
    left,
    whileDead,
    back,
    heldBack,
    lost,
    problems,
    silent: { atDeath: silentAtDeath, atReturn: silentAtReturn, atMove: silentAtMove },
    log: await sidecar.log(),
    reconnects: await tunnel.reconnects(),
  };
});
