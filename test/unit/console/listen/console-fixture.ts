import { join } from 'node:path';
import type { ConsoleConfig } from '../../../../src/config/config.js';
import { CLIENT_LIMITS } from '../../../../src/console/listen/client-connection.js';
import { Console } from '../../../../src/console/listen/console.js';
import { talk } from '../../../../src/console/terminal/talk.js';
import { Talker, type TalkerOptions } from '../../../support/talker.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';
import { client, Steered } from '../steered.js';

/** A daemon with the sessions alice and bob, the consoles that a test opens for it, and their clients. Make it in `beforeEach`. */
export class ConsoleFixture {
  readonly directory = temporaryDirectory();
  config: ConsoleConfig = {
    socket: join(this.directory, 'console.sock'),
    mode: 0o660,
    overrides: join(this.directory, 'overrides'),
    quotas: join(this.directory, 'quotas'),
  };
  readonly daemon = new Steered(this.config.overrides, [client('alice'), client('bob')]);
  readonly #consoles: Console[] = [];
  readonly #clients: Talker[] = [];

  /** Opens a console with the config of this moment. */
  async open(limits = CLIENT_LIMITS): Promise<Console> {
    const opened = await Console.open(this.config, { daemon: this.daemon }, limits);
    this.#consoles.push(opened);
    return opened;
  }

  /** Connects a console client. */
  async connect(options?: TalkerOptions): Promise<Talker> {
    const talker = await Talker.connect(this.config.socket, options);
    this.#clients.push(talker);
    return talker;
  }

  /** Sends one command as the command line does, and returns the lines of its answer. */
  async talk(command: string, withinMs?: number): Promise<readonly string[]> {
    return talk(this.config.socket, command, { ...(withinMs !== undefined && { timeoutMs: withinMs }) });
  }

  /** Disconnects the clients and closes the consoles. Call it in `afterEach`. */
  async close(): Promise<void> {
    for (const each of this.#clients) each.close();
    await Promise.all(this.#consoles.map((each) => each.close()));
  }
}
