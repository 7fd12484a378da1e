import { execFile } from 'node:child_process';

/**
 * Tells systemd how the service is (sd_notify(3)), by systemd-notify(1), as Node has no datagram sockets of the unix
 * family. Where nobody wants to know (NOTIFY_SOCKET is not set), nothing is done; what cannot be told costs nothing.
 */
export class ServiceManager {
  #watchdog: NodeJS.Timeout | undefined;

  constructor(private readonly environment: NodeJS.ProcessEnv = process.env) {}

  /** It serves; from now on it also says that it lives, as often as systemd wants (WatchdogSec=). */
  ready(status: string): void {
    this.#notify('READY=1', `STATUS=${status}`);
    const wanted = Number(this.environment.WATCHDOG_USEC ?? 0);
    if (!(wanted > 0)) return;
    // twice as often as is asked for (sd_watchdog_enabled(3))
    this.#watchdog = setInterval(() => {
      this.#notify('WATCHDOG=1');
    }, wanted / 2_000);
    this.#watchdog.unref();
  }

  stopping(): void {
    clearInterval(this.#watchdog);
    this.#notify('STOPPING=1');
  }

  #notify(...assignments: readonly string[]): void {
    if (this.environment.NOTIFY_SOCKET === undefined) return;
    try {
      execFile('systemd-notify', assignments, { env: this.environment }, () => undefined);
    } catch {
      // some errors of fork(2) and execve(2), as too little memory, Node throws; the next one may be told
    }
  }
}
