import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { until } from '../support/until.js';
import { checkout } from './checkout.js';
import type { Namespace, NamespaceProcess } from './namespace.js';

/** `subflowd helper` beside the server. It has the rights, and serves one daemon after another. */
export class HelperProcess {
  private constructor(
    /** Where the daemon connects. */
    readonly socket: string,
    private readonly child: NamespaceProcess,
  ) {}

  /**
   * Starts it, and waits until it listens.
   * @param socket a path of its own.
   */
  static async start(
    namespace: Pick<Namespace, 'start'>,
    socket: string,
    logFile: string,
  ): Promise<HelperProcess> {
    const main = path.join(checkout, 'dist/bundle/main.js');
    const child = namespace.start(process.execPath, [main, 'helper', '--socket', socket]);
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stderr.pipe(log);
    await until(
      'the helper listens',
      () =>
        stat(socket).then(
          () => true,
          () => false,
        ),
      120_000,
    );
    return new HelperProcess(socket, child);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Sends a signal, and does not wait for its effect. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    await this.child;
  }
}
