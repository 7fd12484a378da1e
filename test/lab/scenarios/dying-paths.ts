// Two clients fill a path, and balance relieves it. Then the paths of one client die, lose large packets, are held back by
// the client, and end. Netem makes the faults, because the lab's guests have no classifier of packets.
import { setTimeout as sleep } from 'node:timers/promises';
import type { SessionPlan } from '../../../src/api/status.js';
import type { ClientHost, PathOptions } from '../network.js';
import { breakPathByNetem, loseLargePackets } from '../path-fault.js';
import { Sidecar } from '../sidecar.js';
import { writeRules } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { Stream } from '../stream.js';
import { command, say, scenario, statusOf, untilStatus, wantedBackend } from './scenario.js';

/** An emulated processor has little time for the tunnel. */
const MBIT = 1;
const DEAD_MS = 8000;
/** A path carries the stream of one client, but not of two. */
const paths: readonly PathOptions[] = [
  { name: 'wifi', number: 100, rateMbit: 1.6 },
  { name: 'lte', number: 200, rateMbit: 1.6 },
];

await scenario(async (cleanup, out) => {
  const stage = await buildStage(cleanup, { paths, clients: 2, backend: wantedBackend(), logs: out });
  const { files, network } = stage;
  const [host, otherHost] = network.clients as [ClientHost, ClientHost];
  const lte = host.addresses.lte?.v4 ?? '';
  await writeRules(files, paths, { '*': 'wifi, lte' });
  const sidecar = Sidecar.start(network.server, files.config, `${out}/subflowd.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'the sidecar answers', () => true);
  const untilAlice = async (what: string, condition: (alice: SessionPlan) => boolean) => {
    const isAlice = (one: SessionPlan) => one.session.commonName === 'alice' && condition(one);
    const { sessions } = await untilStatus(files, what, (status) => status.sessions.some(isAlice));
    const alice = sessions.find(isAlice);
    if (!alice) throw new Error('alice has no session');
    return alice;
  };
  const isOn = (path: string) => (alice: SessionPlan) => alice.current === path && alice.primary === path;

  const tunnel = await stage.connect(0, 'alice');
  const other = await stage.connect(1, 'bob');
  const isReady = (one: SessionPlan) => isOn('wifi')(one) && one.subflows.length === 2;
  await untilStatus(
    files,
    'both are on wifi, with two subflows',
    ({ sessions }) => sessions.length === 2 && sessions.every(isReady),
  );
  const stream = await Stream.start(cleanup, network, host.namespace, MBIT);
  const otherStream = await Stream.start(cleanup, network, otherHost.namespace, MBIT);
  const full = await untilStatus(files, 'wifi is full', ({ paths: [wifi] }) => wifi?.isCongested === true);
  const balanced = [
    ['[default]', 'mode = balance'],
    ['[steering]', 'dwell = 2s'],
  ];
  await writeRules(files, paths, {}, { sections: balanced });
  const relieved = await untilStatus(files, 'one client is on each path', (status) => {
    const used = status.sessions.map(({ current, carriedOn }) =>
      current === carriedOn.join() ? current : '',
    );
    return used.sort().join() === 'lte,wifi';
  });
  say('balance relieved wifi');
  await otherStream.stop();
  await other.stop();
  await untilStatus(files, 'bob is gone', ({ sessions }) => sessions.length === 1);
  await writeRules(files, paths, { alice: 'wifi, lte' });
  await untilAlice('wifi carries', (alice) => isOn('wifi')(alice) && alice.carriedOn.join() === 'wifi');

  const diedAt = Date.now();
  const revive = await breakPathByNetem(network, { path: 'wifi', client: 0 });
  const left = await untilAlice('on lte', isOn('lte'));
  const leftAt = Date.now();
  const whileDead = [];
  while (Date.now() < leftAt + DEAD_MS) {
    await sleep(250);
    const { sessions, paths: loads } = await statusOf(files);
    const [alice] = sessions;
    const subflows = alice?.subflows.map(({ path, health }) => ({ path, health }));
    const health = loads.map((load) => load.health);
    whileDead.push({ current: alice?.current, carriedOn: alice?.carriedOn, subflows, health });
  }
  const silentAtDeath = stream.longestGap(diedAt);
  const revivedAt = Date.now();
  await revive();
  await untilAlice('wifi again', isOn('wifi'));
  const returnedAfterMs = Date.now() - revivedAt;
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
    (alice) => isOn('wifi')(alice) && alice.reason.includes('lte does not carry'),
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
    full,
    relieved,
    left,
    returnedAfterMs,
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
