import { execFile } from 'node:child_process';

/**
 * Notifies systemd of the state of the service (sd_notify(3)). It runs systemd-notify(1), because Node has no unix
 * datagram sockets. Without NOTIFY_SOCKET it does nothing. If a notification fails, the daemon goes on.
 */
export class ServiceManager {
  #watchdog: NodeJS.Timeout | undefined;

  constructor(private readonly environment: NodeJS.ProcessEnv = process.env) {}

  /**
   * Reports that the service is ready. If WatchdogSec= is set, it also notifies the watchdog from now on.
   * @param status one line for `systemctl status`.
   */
  ready(status: string): void {
    this.#notify('READY=1', `STATUS=${status}`);
    const intervalUs = Number(this.environment.WATCHDOG_USEC ?? 0);
    if (!(intervalUs > 0)) return;
    // half of the interval, as sd_watchdog_enabled(3) recommends
    const periodMs = intervalUs / 1000 / 2;
    this.#watchdog = setInterval(() => {
      this.#notify('WATCHDOG=1');
    }, periodMs);
    this.#watchdog.unref();
  }

  /** Reports that the service stops, and ends the notifications of the watchdog. */
  stopping(): void {
    clearInterval(this.#watchdog);
    this.#notify('STOPPING=1');
  }

  #notify(...assignments: readonly string[]): void {
    if (this.environment.NOTIFY_SOCKET === undefined) return;
    try {
      execFile('systemd-notify', assignments, { env: this.environment }, () => undefined);
    } catch {
      // Node throws some errors of fork(2) and execve(2), such as ENOMEM. The next notification may succeed.
    }
  }
}
