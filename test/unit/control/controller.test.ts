import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Backend, PriorityRequest, PriorityResult } from '../../../src/backend/backend.js';
import { NOT_TRIED } from '../../../src/backend/in-order.js';
import { DevmemBackend } from '../../../src/backend/devmem.js';
import type { Switch } from '../../../src/control/compare-plans.js';
import { Controller } from '../../../src/control/controller.js';
import { openKernel } from '../../../src/kernel/kernel.js';
import type { Session, SessionWithoutPort } from '../../../src/model/session.js';
import type { SubflowLimits } from '../../../src/model/subflow-limits.js';
import { ALICE, ALICE_SESSION, LTE, PID, SERVER, WIFI } from '../../support/alice.js';
import { configOf } from '../../support/config.js';
import { KernelImage } from '../../support/kernel-image.js';
import { LINUX_6_1 } from '../../support/layouts.js';
import { until } from '../../support/until.js';

let image: KernelImage;
let backend: Backend;
let controller: Controller | undefined;
// what the controller reads in each round
let config = configOf(['lte', 'wifi']);
let sessions: readonly Session[] = [];
let withoutPort: readonly SessionWithoutPort[] = [];
let pids: readonly number[] = [];
const overrides = new Map<string, string>();
let switches: Switch[] = [];
let problems: string[] = [];

beforeEach(() => {
  image = new KernelImage(LINUX_6_1);
  config = configOf(['lte', 'wifi']);
  sessions = [ALICE_SESSION];
  withoutPort = [];
  pids = [];
  overrides.clear();
  switches = [];
  problems = [];
});
afterEach(async () => {
  await controller?.stop();
  await backend.close();
  image.remove();
});

/**
 * Starts a controller, and waits for its first round.
 * @param changes returns functions that replace those of the backend.
 */
async function start(changes?: (real: Backend) => Partial<Backend>): Promise<Controller> {
  backend = new DevmemBackend(await openKernel(image.sources(), { layout: LINUX_6_1 }));
  controller = new Controller({
    backend: changes ? withChanges(backend, changes(backend)) : backend,
    sessions: () => sessions,
    sessionsWithoutPort: () => withoutPort,
    pids: () => pids,
    config: () => config,
    overrides: () => overrides,
  });
  controller.on('switch', (one) => switches.push(one)).on('problem', (text) => problems.push(text));
  controller.start();
  await controller.refresh();
  return controller;
}

function withChanges(real: Backend, changes: Partial<Backend>): Backend {
  return {
    name: real.name,
    description: real.description,
    notifiesPeer: real.notifiesPeer,
    connections: (pid) => real.connections(pid),
    setPriorities: (requests) => real.setPriorities(requests),
    close: () => real.close(),
    ...changes,
  };
}

/** By address of the client: the priority that this host asks for. */
async function ourPriorities(): Promise<Record<string, string>> {
  const { connections } = await backend.connections(PID);
  return Object.fromEntries(
    (connections[0]?.subflows ?? []).map(({ remote, ours }) => [remote.address, ours]),
  );
}

it('makes a session follow its rule, and reports it once', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const controller = await start();
  expect(await ourPriorities()).toEqual({ [WIFI.address]: 'backup', [LTE.address]: 'active' });
  expect(controller.current().sessions[0]).toMatchObject({ state: 'obeyed', primary: 'lte' });
  await controller.refresh();
  // Nothing was acknowledged on lte yet, so it is reported at the end.
  expect(switches).toEqual([]);
  await controller.stop();
  expect(switches).toEqual([expect.objectContaining({ to: 'lte', session: ALICE_SESSION })]);
});

it('reports no switch if the connection began on the wanted path', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  config = configOf(['wifi']);
  await start();
  expect(await ourPriorities()).toEqual({ [WIFI.address]: 'active', [LTE.address]: 'backup' });
  expect(switches).toEqual([]);
});

it('follows a changed rule, an override, and its end', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const controller = await start();
  config = configOf(['wifi']);
  await controller.refresh();
  overrides.set('lab/alice', 'lte');
  await controller.refresh();
  overrides.delete('lab/alice');
  await controller.refresh();
  await controller.stop();
  expect(switches.map(({ from, to }) => [from, to])).toEqual([
    [undefined, 'lte'],
    ['lte', 'wifi'],
    ['wifi', 'lte'],
    ['lte', 'wifi'],
  ]);
  expect(await ourPriorities()).toEqual({ [WIFI.address]: 'active', [LTE.address]: 'backup' });
});

it('leaves a client without the wanted path as it is, and reports that', async () => {
  image.task(PID, [image.socket({ ...ALICE, subflows: [{ local: SERVER, remote: WIFI }] }).file]);
  config = configOf(['lte']);
  const controller = await start();
  expect(image.changes()).toEqual([]);
  expect(controller.current().sessions[0]).toMatchObject({ state: 'absent', missing: ['lte'] });
});

it('distinguishes a plain TCP client, a session without a connection and a process that is gone, and serves the others', async () => {
  image.task(PID, [
    image.socket({ protocol: 6, local: SERVER, remote: { address: '192.168.100.9', port: 9 } }).file,
    image.socket(ALICE).file,
  ]);
  sessions = [
    { ...ALICE_SESSION, commonName: 'plain', real: { address: '192.168.100.9', port: 9 } },
    { ...ALICE_SESSION, commonName: 'nobody', real: { address: '192.168.100.9', port: 10 } },
    { ...ALICE_SESSION, commonName: 'foreign', pid: 1 },
    { ...ALICE_SESSION, commonName: 'gone', pid: 99 },
    ALICE_SESSION,
  ];
  const controller = await start();
  const states = controller.current().sessions.map(({ session, state }) => [session.commonName, state]);
  expect(Object.fromEntries(states)).toEqual({
    plain: 'plain',
    nobody: 'unknown',
    foreign: 'unknown',
    gone: 'unknown',
    alice: 'obeyed',
  });
  await until('the process that is gone is reported', () =>
    problems.some((text) => text.includes('there is no process 99')),
  );
});

it('assigns a port to a session without one if only one connection comes from its address', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const { real, ...rest } = ALICE_SESSION;
  sessions = [];
  withoutPort = [{ ...rest, address: real.address }];
  const controller = await start();
  expect(controller.current().sessions).toEqual([
    expect.objectContaining({ session: ALICE_SESSION, state: 'obeyed' }),
  ]);
});

it('assigns no port if two connections come from the address', async () => {
  image.task(PID, [image.socket(ALICE).file, image.socket({ ...ALICE, remote: { ...WIFI, port: 1 } }).file]);
  const { real, ...rest } = ALICE_SESSION;
  sessions = [];
  withoutPort = [{ ...rest, address: real.address }];
  const controller = await start();
  expect(controller.current().sessions).toEqual([]);
  expect(problems).toEqual([expect.stringContaining('2 connections are from 192.168.100.2')]);
  expect(image.changes()).toEqual([]);
});

it('sets all priorities of a round in one call, and reports the changes that were tried', async () => {
  const alice = image.socket(ALICE);
  image.place(alice.contexts[1] as bigint, 'mptcp_subflow_context', 'request_bkup', 1n);
  image.task(PID, [alice.file]);
  const refused: PriorityResult = { outcome: 'refused', isMpPrioRequested: false, reason: 'for the test' };
  const calls: (readonly PriorityRequest[])[] = [];
  await start(() => ({
    setPriorities: (requests) => {
      calls.push(requests);
      return Promise.resolve([refused, ...requests.slice(1).map(() => NOT_TRIED)]);
    },
  }));
  expect(calls[0]).toMatchObject([
    { name: { remote: LTE }, priority: 'active' },
    { name: { remote: WIFI }, priority: 'backup' },
  ]);
  expect(problems).toEqual([expect.stringContaining('cannot be made active: for the test')]);
});

it('ends the round if the backend fails, and reports it', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const controller = await start(() => ({ setPriorities: () => Promise.reject(new Error('for the test')) }));
  expect(problems).toEqual(['no priority could be set: for the test']);
  expect(controller.current().sessions[0]).toMatchObject({ state: 'pending' });
});

it('starts another round after a change during a round', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const controller = await start();
  config = configOf(['wifi']);
  const first = controller.refresh();
  config = configOf(['lte']);
  const second = controller.refresh();
  await Promise.all([first, second]);
  expect(controller.current().sessions[0]).toMatchObject({ state: 'obeyed', primary: 'lte' });
});

it('observes again on request if the last observation is not recent', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const controller = await start();
  const connections = vi.spyOn(backend, 'connections');
  await controller.observe();
  expect(connections).not.toHaveBeenCalled();
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 10_000);
  try {
    await controller.observe();
  } finally {
    clock.mockRestore();
  }
  expect(connections).toHaveBeenCalledOnce();
});

it('reports which connections belong to sessions, and observes servers without sessions, if the backend limits subflows', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  const limited: SubflowLimits[] = [];
  const observed: number[] = [];
  pids = [PID, 77];
  const controller = await start((real) => ({
    connections: async (pid) => {
      observed.push(pid);
      return real.connections(pid);
    },
    limitSubflows: (limits) => limited.push(limits),
  }));
  const [alice] = (await backend.connections(PID)).connections;
  expect(limited.at(-1)).toEqual({
    withSession: 8,
    withoutSession: 2,
    sessionTokens: new Map([[PID, new Set([alice?.token])]]),
  });
  expect(observed).toContain(77);
  // a missing process without sessions is not a problem
  expect(problems).toEqual([]);

  const { real, ...rest } = ALICE_SESSION;
  sessions = [];
  withoutPort = ['one', 'other'].map((commonName) => ({ ...rest, commonName, address: real.address }));
  await controller.refresh();
  expect(limited.at(-1)?.sessionTokens.get(PID)).toEqual(new Set([alice?.token]));
  withoutPort = [];
  observed.length = 0;
  await controller.refresh();
  expect(limited.at(-1)?.sessionTokens).toEqual(new Map());
  expect(observed).toEqual([PID, 77]);
});

it('observes less often if an observation takes long', async () => {
  image.task(PID, [image.socket(ALICE).file]);
  let count = 0;
  await start((real) => ({
    connections: async (pid) => {
      count++;
      // an observation takes this long
      await sleep(100);
      return real.connections(pid);
    },
  }));
  count = 0;
  // the number of observations in a fixed time is what is tested
  await sleep(1500);
  // in the first seconds, rounds take a tenth of the time
  expect(count).toBeLessThanOrEqual(2);
});
