import { reasonOf } from '../util/errno.js';
import type { Problems } from '../util/problems.js';
import type { Management } from './management/management.js';
import type { ManagementInfo } from './management/management-types.js';
import { callsItself } from './records/pid-namespaces.js';
import type { ProcessFacts, ProcessProbe } from './records/process.js';

/** When to check the process after its management interface closed the connection, in milliseconds. */
const CHECK_AFTER_MS = [50, 500, 2_000];

/** Receives what {@link ServerProcess} finds out. */
export interface ServerProcessListener {
  readonly records: {
    /** The process is an OpenVPN that runs as this user. */
    addUser(uid: number): void;
    /** The process reports this PID, and has another one on this host. */
    addProcess(reported: number, pid: number): void;
  };
  /** The process has ended, is not OpenVPN, or is another one now. */
  readonly onForgotten: () => void;
}

/**
 * The process of one server: management reports it, and `/proc` confirms it. In a PID namespace of its own, as in a container,
 * OpenVPN reports another PID than it has on this host. Here, `pid` is always the one on this host.
 */
export class ServerProcess {
  #info: ManagementInfo | undefined;
  #timers: readonly NodeJS.Timeout[] = [];

  constructor(
    private readonly management: Management | undefined,
    private readonly probe: ProcessProbe,
    private readonly problems: Problems,
    private readonly listener: ServerProcessListener,
  ) {}

  /** Undefined until management has reported it, and after it has ended. */
  get pid(): number | undefined {
    return this.#info?.pid;
  }

  /** As {@link ManagementInfo.version}. */
  get version(): string | undefined {
    return this.#info?.version;
  }

  /** Takes what management reports now. */
  update(reported: ManagementInfo): void {
    const pid = this.#locate(reported);
    if (this.#info !== undefined && this.#info.pid !== pid) this.#forget();
    this.#info = { ...reported, pid };
    if (pid !== reported.pid) this.listener.records.addProcess(reported.pid, pid);
    this.check();
  }

  /** The PID on this host. If it is not found, the one that management reports; then {@link check} says why. */
  #locate({ pid, listenerPid }: ManagementInfo): number {
    // who listens is certain, while several processes can report the same PID
    if (listenerPid !== undefined && callsItself(listenerPid, pid)) return listenerPid;
    try {
      const facts = this.probe(pid);
      return facts.is === 'openvpn' ? (facts.pid ?? pid) : pid;
    } catch {
      return pid;
    }
  }

  /** Forgets the process if it has ended or is not OpenVPN. Reports why if management still reports this process. */
  check(): void {
    if (this.#info === undefined) return;
    const { pid } = this.#info;
    try {
      const found = this.probe(pid);
      // another process, which reports the number that this one had here
      const facts: ProcessFacts = 'pid' in found && found.pid !== pid ? { is: 'gone' } : found;
      if (facts.is === 'openvpn') {
        this.problems.resolve('process');
        this.listener.records.addUser(facts.euid);
        return;
      }
      if (this.management?.isReady === true) {
        this.problems.open(
          'process',
          `the management interface at ${this.management.name} reports that it is process ${pid}, ${describeMismatch(facts)}`,
        );
      }
    } catch (error) {
      this.problems.open(
        'process',
        `cannot read /proc/${pid}: ${reasonOf(error)}; to fix it: mount /proc without hidepid, or add its ` +
          'group to the daemon (systemctl edit subflowd, [Service] SupplementaryGroups=)',
      );
    }
    this.#forget();
  }

  /** Calls `check` a few times in the next seconds. Management is disconnected, so perhaps the process has ended. */
  scheduleChecks(check: () => void): void {
    this.#timers = CHECK_AFTER_MS.map((ms) => setTimeout(check, ms));
  }

  /** Cancels the scheduled checks. */
  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #forget(): void {
    this.#info = undefined;
    this.listener.onForgotten();
  }
}

/** Why a process cannot be the server that reports its PID: the end of the sentence, after `process PID,`. */
function describeMismatch(facts: Exclude<ProcessFacts, { readonly is: 'openvpn' }>): string {
  switch (facts.is) {
    case 'gone':
      return (
        'which does not exist in the PID namespace of subflowd; to fix it: run subflowd where OpenVPN is visible, for example on ' +
        'the host and not in another container'
      );
    case 'ambiguous':
      return (
        `as several do in PID namespaces of their own (on this host ${facts.pids.join(', ')}); to fix it: let OpenVPN listen on a ` +
        'unix socket (management PATH unix), which shows who listens'
      );
    case 'other':
      return `which is ${facts.exe}`;
  }
}
