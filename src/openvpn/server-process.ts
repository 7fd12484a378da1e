import { reasonOf } from '../util/errno.js';
import type { Problems } from '../util/problems.js';
import type { Management } from './management/management.js';
import type { ManagementInfo } from './management/management-types.js';
import type { ProcessProbe } from './records/process.js';

/** When to check the process after its management interface closed the connection, in milliseconds. */
const CHECK_AFTER_MS = [50, 500, 2_000];

/** Receives what {@link ServerProcess} finds out. */
export interface ServerProcessListener {
  /** The process is an OpenVPN that runs as this user. */
  readonly onUser: (uid: number) => void;
  /** The process has ended, is not OpenVPN, or is another one now. */
  readonly onForgotten: () => void;
}

/** The process of one server: management reports it, and `/proc` confirms it. */
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
  update(info: ManagementInfo): void {
    if (this.#info !== undefined && this.#info.pid !== info.pid) this.#forget();
    this.#info = info;
    this.check();
  }

  /** Forgets the process if it has ended or is not OpenVPN. Reports why if management still reports this process. */
  check(): void {
    if (this.#info === undefined) return;
    const { pid } = this.#info;
    try {
      const facts = this.probe(pid);
      if (facts.is === 'openvpn') {
        this.problems.resolve('process');
        this.listener.onUser(facts.euid);
        return;
      }
      if (this.management?.isReady === true) {
        const what =
          facts.is === 'gone' ? 'does not exist (is it in another PID namespace?)' : `is ${facts.exe}`;
        this.problems.open(
          'process',
          `the management interface at ${this.management.name} reports that it is process ${pid}, which ${what}`,
        );
      }
    } catch (error) {
      this.problems.open(
        'process',
        `cannot read /proc/${pid}: ${reasonOf(error)}; to fix it: run subflowd as root or with CAP_SYS_PTRACE, as in ` +
          'openvpn-conf/subflowd.service',
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
