import { expect, it } from 'vitest';
import type { Backend } from '../../../src/backend/backend.js';
import type { PlainPeer, ServerSockets } from '../../../src/model/connection.js';
import { MAX_PROBLEMS, observe } from '../../../src/control/observe.js';
import type { Session } from '../../../src/model/session.js';
import { plan } from '../../../src/steering/plan.js';
import { ALICE_SESSION, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { configOf } from '../../support/config.js';

const CONNECTION = {
  pid: PID,
  remote: WIFI,
  local: SERVER,
  token: 1,
  subflows: [WIFI, LTE].map(
    (remote) => ({ local: SERVER, remote, ours: 'active', peers: 'active', mpPrioPending: false }) as const,
  ),
};

/** A backend that returns these sockets, without a kernel. */
function showing(sockets: Partial<ServerSockets> | Error): Backend {
  return {
    name: 'netlink',
    description: '',
    notifiesPeer: true,
    connections: () =>
      sockets instanceof Error
        ? Promise.reject(sockets)
        : Promise.resolve({ connections: [CONNECTION], plain: [], problems: [], ...sockets }),
    setPriorities: () => Promise.reject(new Error('nothing is to be set')),
    close: () => Promise.resolve(),
  };
}

async function states(...sessions: readonly Session[]): Promise<Record<string, string>> {
  const { snapshot } = await observe(showing({}), sessions, []);
  const planned = plan(snapshot, configOf(['lte']), new Map()).sessions;
  return Object.fromEntries(
    planned.map(({ session, state, wishes }) => [session.commonName, `${state} ${wishes.length}`]),
  );
}

const alice: Session = { ...ALICE_SESSION, protocol: 'tcp' };
const bob: Session = { ...ALICE_SESSION, commonName: 'bob' };

it('gives a connection to the client over TCP, not to one over UDP with the same address and port', async () => {
  expect(await states(alice, { ...bob, protocol: 'udp' })).toEqual({ alice: 'pending 1', bob: 'udp 0' });
  expect(await states(ALICE_SESSION, { ...bob, protocol: 'udp' })).toEqual({
    alice: 'pending 1',
    bob: 'udp 0',
  });
});

it('gives a connection that two sessions claim to the one that is known to be over TCP, otherwise to neither', async () => {
  expect(await states(bob, alice)).toEqual({ alice: 'pending 1', bob: 'unknown 0' });
  expect(await states(ALICE_SESSION, bob)).toEqual({ alice: 'unknown 0', bob: 'unknown 0' });
  expect(await states(alice, { ...bob, protocol: 'tcp' })).toEqual({ alice: 'unknown 0', bob: 'unknown 0' });
});

it('gives a session no connection if its address and port have two, to different ports of the server', async () => {
  const elsewhere = { ...CONNECTION, local: { ...SERVER, port: SERVER.port + 1 }, token: 2 };
  for (const connections of [
    [CONNECTION, elsewhere],
    [elsewhere, CONNECTION, elsewhere],
  ]) {
    const { snapshot } = await observe(showing({ connections }), [alice], []);
    expect(snapshot.sessions).toMatchObject([{ connection: undefined, unsteerable: 'disputed' }]);
  }
  // the same client again; its last connection still exists
  const again = await observe(
    showing({ connections: [CONNECTION, { ...CONNECTION, token: 2 }] }),
    [alice],
    [],
  );
  expect(again.snapshot.sessions).toMatchObject([{ connection: { token: 2 } }]);
});

it('does not steer a client that OpenVPN has not let in', async () => {
  expect(await states({ ...alice, notLetIn: true })).toEqual({ alice: 'not-let-in 0' });
});

it('names the sessions without a socket if the whole process could be observed', async () => {
  const gone: Session = { ...alice, real: { ...WIFI, port: 1 } };
  const plain: Session = { ...alice, real: { ...WIFI, port: 2 } };
  const udp: Session = { ...gone, protocol: 'udp' };
  const { real, ...rest } = gone;
  const six = { ...rest, address: '2001:db8::6' };
  const sessions = [alice, gone, plain, udp];
  const sockets = { plain: [{ pid: PID, remote: plain.real }] };
  expect((await observe(showing(sockets), sessions, [six])).missing).toEqual([gone, six]);
  expect((await observe(showing({ ...sockets, problems: ['fd 7'] }), sessions, [six])).missing).toEqual([]);
  expect((await observe(showing(new Error('gone')), sessions, [six])).missing).toEqual([]);
  expect(real.port).toBe(1);
});

it('lists 100 problems of one process, and says that there are more', async () => {
  const problems = Array.from({ length: MAX_PROBLEMS + 1 }, (_, n) => `socket ${n} is broken`);
  const told = (await observe(showing({ problems }), [ALICE_SESSION], [])).problems;
  expect(told).toHaveLength(101);
  expect(told.slice(-2)).toEqual([
    `process ${PID}: socket 99 is broken`,
    `process ${PID}: there are more problems of this kind`,
  ]);
  const fewer = await observe(showing({ problems: problems.slice(1) }), [ALICE_SESSION], []);
  expect(fewer.problems).toHaveLength(100);
});

it('passes on since when a connection has fallen back to plain TCP', async () => {
  const plain: Session = { ...alice, real: { ...WIFI, port: 2 } };
  const peer = { pid: PID, remote: plain.real };
  const sessionOf = async (sockets: PlainPeer) =>
    (await observe(showing({ plain: [sockets] }), [plain], [])).snapshot.sessions[0];
  expect(await sessionOf(peer)).toEqual({ session: plain, connection: 'plain' });
  expect(await sessionOf({ ...peer, fellBack: true, fellBackSince: 5 })).toEqual({
    session: plain,
    connection: 'plain',
    fellBackSince: 5,
  });
});
