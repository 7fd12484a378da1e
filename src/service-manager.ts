import { loadAddon } from './native/addon.js';

/**
 * Notifies systemd of the state of the service (sd_notify(3)). Without NOTIFY_SOCKET it does nothing. If a notification
 * fails, the process goes on.
 */
export class ServiceManager {
  #watchdog: NodeJS.Timeout | undefined;

  constructor(private readonly environment: NodeJS.ProcessEnv = process.env) {}

  /**
   * Reports that the service is ready. If WatchdogSec= is set, it also notifies the watchdog from now on.
   * @param status one line for `systemctl status`.
   */
  ready(status: string): void {
    this.#notify(['READY=1', `STATUS=${status}`]);
    const intervalUs = Number(this.environment.WATCHDOG_USEC ?? 0);
    if (!(intervalUs > 0)) return;
    // half of the interval, as sd_watchdog_enabled(3) recommends
    const periodMs = intervalUs / 1000 / 2;
    this.#watchdog = setInterval(() => {
      this.#notify(['WATCHDOG=1']);
    }, periodMs);
    this.#watchdog.unref();
  }

  /** Reports that the service stops, and ends the notifications of the watchdog. */
  stopping(): void {
    clearInterval(this.#watchdog);
    this.#notify(['STOPPING=1']);
  }

  /**
   * Gives systemd a descriptor to keep while the service is restarted, if the unit has FileDescriptorStoreMax=. The next
   * process gets it from {@link passedDescriptors}. FDPOLL=0: systemd keeps it also while it has an error.
   * @param name letters, digits and `-`.
   */
  keep(name: string, fd: number): void {
    this.#notify(['FDSTORE=1', `FDNAME=${name}`, 'FDPOLL=0'], fd);
  }

  #notify(assignments: readonly string[], fd?: number): void {
    const { NOTIFY_SOCKET: socket } = this.environment;
    if (socket === undefined) return;
    try {
      loadAddon().sendDatagram(socket, Buffer.from(assignments.join('\n')), fd);
    } catch {
      // this machine has no addon, or the address cannot be one
    }
  }
}

/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_PASSED = 3;

/** The descriptors that systemd passes to this process: sockets of a socket unit, and what it keeps. By name. */
export function passedDescriptors(environment: NodeJS.ProcessEnv = process.env): ReadonlyMap<string, number> {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' } = environment;
  if (pid !== String(process.pid)) return new Map();
  const listed = names === '' ? [] : names.split(':');
  const all = Array.from(
    { length: Number(count) || 0 },
    (_, index) => [listed[index] ?? 'unknown', FIRST_PASSED + index] as const,
  );
  return new Map(all);
}
