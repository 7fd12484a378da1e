import { EventEmitter } from 'node:events';
import type { Management } from '../../openvpn/management/management.js';
import type { Answer, Send } from '../common/answer.js';
import type { Claim } from '../common/dispositions.js';
import { AnswerCommands } from './answer-commands.js';
import { Claims } from './claims.js';
import { CommandDispatcher } from './command-dispatcher.js';
import { CommandForwarder, type Respond } from './command-forwarder.js';
import { ConsoleClient } from './console-client.js';
import { HoldFlag } from './hold.js';
import { MessageDistributor } from './message-distributor.js';
import { SettingCommands } from './setting-commands.js';
import { SharedSettings } from './settings.js';

/** Events of {@link SharedManagement}. */
interface SharedManagementEvents {
  /** A client changes OpenVPN for everybody: the client's number, and the part of its command that is not secret. */
  order: [number, string];
}

/**
 * The management interface of one OpenVPN, for any number of console clients. Each client has its own copy of the settings
 * that OpenVPN keeps for its one client ({@link ConsoleClient}). OpenVPN has the settings that all of them together need
 * ({@link SharedSettings}). {@link CommandDispatcher} runs their commands.
 */
export class SharedManagement extends EventEmitter<SharedManagementEvents> {
  readonly #clients = new Set<ConsoleClient>();
  readonly #claims = new Claims<ConsoleClient>();
  readonly #hold = new HoldFlag<ConsoleClient>(this.#clients);
  readonly #distributor = new MessageDistributor(this.#clients, this.#claims, this.#hold);
  readonly #settings: SharedSettings;
  readonly #answerCommands: AnswerCommands;
  readonly #dispatcher: CommandDispatcher;
  #lastId = 0;

  /** @param name of the server, for messages. */
  constructor(
    private readonly name: string,
    private readonly management: Management,
  ) {
    super();
    const onReleased = () => {
      this.#hold.stopWaiting();
      if (this.#distributor.question === 'HOLD') this.#distributor.clearQuestion();
    };
    const forwarder = new CommandForwarder(name, management);
    this.#settings = new SharedSettings(
      management,
      this.#clients,
      () => this.#claims.claimant('questions'),
      this.#hold,
      onReleased,
    );
    this.#answerCommands = new AnswerCommands(
      forwarder,
      this.#settings,
      this.#claims,
      this.#distributor,
      this.#clients,
      (claim) => {
        management.addHandler(claim === 'auth' ? 'auth' : 'password');
      },
    );
    this.#dispatcher = new CommandDispatcher(
      forwarder,
      new SettingCommands(management, forwarder, this.#settings, this.#hold, onReleased),
      this.#answerCommands,
      this.#distributor,
      (client, order) => this.emit('order', client.id, order),
    );
    management.isHandled = (question) => {
      if (question === 'hold') return this.#hold.isWanted;
      return this.#claims.claimant(question === 'auth' ? 'auth' : 'questions') !== undefined;
    };
    management.finalCommands = () => this.#hold.undoCommands();
    this.#listen();
  }

  #listen(): void {
    this.management
      .on('greeted', (greeting) => {
        this.#claims.onConnect();
        this.#settings.onConnect();
        this.#distributor.sendToAll([greeting]);
      })
      .on('ready', ({ pid }) => {
        this.#claims.onPid(pid);
        this.#settings.onPid(pid, () => {
          this.#distributor.onHoldFlagReported();
        });
      })
      .on('message', (lines) => {
        this.#distributor.distribute(lines);
      })
      .on('hungUp', (reason) => {
        this.#onHungUp(reason);
      });
  }

  /**
   * Adds a client and sends it the greeting that OpenVPN would send.
   * @param hangUp ends the client's connection while OpenVPN is not connected. Without it, the client stays and is notified.
   */
  join(send: Send, hangUp?: () => void): ConsoleClient {
    const client = new ConsoleClient(++this.#lastId, send, hangUp);
    const { greeting } = this.management;
    if (greeting === undefined && hangUp) {
      send([`ERROR: OpenVPN ${this.name} is not connected`]);
      hangUp();
      return client;
    }
    this.#clients.add(client);
    this.#settings.update();
    client.send([greeting ?? `>INFO:OpenVPN ${this.name} is not connected; you get its greeting when it is`]);
    this.#distributor.greet(client);
    return client;
  }

  /**
   * Adds a client that decides whether OpenVPN lets clients in. If nobody has claimed `auth`, it has the claim from now on.
   * It gets no messages of subflowd, because it may know only those of OpenVPN.
   * @param hangUp ends its connection while OpenVPN is not connected, as OpenVPN itself would do.
   */
  joinForAuth(send: Send, hangUp: () => void): ConsoleClient {
    const client = this.join(send, hangUp);
    client.wantsAuth = true;
    this.#giveAuth();
    return client;
  }

  /** Gives the claim `auth`, if nobody has it, to the client that has waited for it longest. */
  #giveAuth(): void {
    if (this.#claims.claimant('auth') !== undefined) return;
    const next = [...this.#clients].find(({ wantsAuth }) => wantsAuth);
    if (next) this.#answerCommands.claim(next, 'auth');
  }

  /** Removes a client, and every setting that OpenVPN has only because of it. */
  leave(client: ConsoleClient): void {
    if (!this.#clients.delete(client)) return;
    this.#claims.releaseAll(client);
    this.#giveAuth();
    this.#settings.update();
  }

  /**
   * Runs one line of a client: a command, or a line of a command of several lines. Responds once, possibly with no lines.
   * @returns whether the line is a query: it changes nothing.
   */
  run(client: ConsoleClient, line: string, respond: Respond): boolean {
    // a client that has left may have sent lines ahead; they must not be run any more
    if (!this.#clients.has(client)) {
      respond({ lines: [] });
      return false;
    }
    return this.#dispatcher.run(client, line, respond);
  }

  /** `mptcp claim`. */
  claim(client: ConsoleClient, claim: Claim): Answer {
    return this.#answerCommands.claim(client, claim);
  }

  /** `mptcp release`. */
  release(client: ConsoleClient, claim: Claim): Answer {
    return this.#answerCommands.release(client, claim);
  }

  #onHungUp(reason: string): void {
    this.#settings.onDisconnect();
    this.#distributor.reset();
    for (const client of this.#clients) {
      const next = client.hangUp ? '' : '; you get its greeting when it is back';
      if (!client.wantsAuth) client.send([`>INFO:OpenVPN ${this.name} is lost: ${reason}${next}`]);
      client.hangUp?.();
    }
  }
}
