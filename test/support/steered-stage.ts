import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { DaemonStatus, SessionPlan } from '../../src/api/status.js';
import { Cleanup } from '../lab/cleanup.js';
import type { ClientHost, PathOptions } from '../lab/network.js';
import type { OpenvpnProcess } from '../lab/openvpn.js';
import { breakPath, type Fault, type FaultPlace } from '../lab/path-fault.js';
import { statusOf, untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules, type MoreLines } from '../lab/sidecar-files.js';
import { buildStage, type Stage, type StageOptions } from '../lab/stage.js';
import { Stream } from '../lab/stream.js';
import { Talker } from './talker.js';

/** Two access points, wide enough for a client's stream and so slow that a queue is seen. */
export const STEERED_PATHS: readonly PathOptions[] = [
  { name: 'wifi', number: 100, rateMbit: 20 },
  { name: 'lte', number: 200, rateMbit: 20 },
];

/** The network with OpenVPN and subflowd, and what tests of dying paths do with it. */
export class SteeredStage {
  private constructor(
    readonly cleanup: Cleanup,
    readonly stage: Stage,
    readonly sidecar: Sidecar,
  ) {}

  /**
   * Builds it for the running test, and removes it after the test.
   * @param rules the paths by client, as {@link writeRules} has them.
   */
  static async start(
    rules: Readonly<Record<string, string>>,
    more: MoreLines = {},
    options: StageOptions = {},
  ): Promise<SteeredStage> {
    const cleanup = new Cleanup();
    onTestFinished(() => cleanup.run());
    const stage = await buildStage(cleanup, { paths: STEERED_PATHS, backend: 'netlink', ...options });
    await writeRules(stage.files, STEERED_PATHS, rules, more);
    const sidecar = Sidecar.start(stage.network.server, stage.files.config, `${stage.files.config}.log`);
    cleanup.add(() => sidecar.stop());
    await untilStatus(stage.files, 'the server', ({ servers }) =>
      servers.some(({ pids }) => pids.length === 1),
    );
    return new SteeredStage(cleanup, stage, sidecar);
  }

  host(index: number): ClientHost {
    const host = this.stage.network.clients[index];
    if (!host) throw new RangeError(`the network has no client ${index}`);
    return host;
  }

  /** Connects a client, waits until it has a subflow on each path, and starts its stream. */
  async connect(
    index: number,
    name: string,
    mbit: number,
  ): Promise<{ readonly tunnel: OpenvpnProcess; readonly stream: Stream }> {
    const tunnel = await this.stage.connect(index, name);
    await this.untilClient(name, 'two subflows', ({ subflows }) => subflows.length === STEERED_PATHS.length);
    const { namespace } = this.host(index);
    return { tunnel, stream: await Stream.start(this.cleanup, this.stage.network, namespace, mbit) };
  }

  /** @throws {Error} if there is no such session. */
  async client(name: string): Promise<SessionPlan> {
    return sessionOf(await statusOf(this.stage.files), name);
  }

  /** Waits until the client's session fulfils a condition. */
  async untilClient(
    name: string,
    what: string,
    condition: (session: SessionPlan, status: DaemonStatus) => boolean,
  ): Promise<SessionPlan> {
    const status = await untilStatus(this.stage.files, `${name}: ${what}`, (one) =>
      one.sessions.some((session) => session.session.commonName === name && condition(session, one)),
    );
    return sessionOf(status, name);
  }

  break(place: FaultPlace, fault: Fault = {}): Promise<() => Promise<void>> {
    return breakPath(this.stage.network, place, fault);
  }

  /** A console client that gets a line for each switch and each changed subflow. */
  async watch(): Promise<Talker> {
    const talker = await Talker.connect(this.stage.files.console);
    this.cleanup.add(() => {
      talker.close();
      return Promise.resolve();
    });
    await talker.command('mptcp watch');
    return talker;
  }

  /** Every status during these milliseconds. */
  async statuses(forMs: number): Promise<DaemonStatus[]> {
    const statuses = [];
    const end = Date.now() + forMs;
    while (Date.now() < end) {
      statuses.push(await statusOf(this.stage.files));
      await sleep(100);
    }
    return statuses;
  }
}

/** @throws {Error} if there is no such session. */
export function sessionOf({ sessions }: DaemonStatus, name: string): SessionPlan {
  const session = sessions.find((one) => one.session.commonName === name);
  if (!session) throw new Error(`there is no session of ${name}`);
  return session;
}

/** The paths on which a session has a subflow that both sides want to be active. */
export function activePaths({ subflows }: SessionPlan): string[] {
  return subflows
    .filter(({ subflow }) => subflow.ours === 'active' && subflow.peers === 'active')
    .map(({ path = '' }) => path)
    .sort();
}
