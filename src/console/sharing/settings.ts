import { endingsOf } from '../../openvpn/management/answers.js';
import { parseLine } from '../../openvpn/management/command-line.js';
import type { ReplyHandler } from '../../openvpn/management/exchanges.js';
import type { Management } from '../../openvpn/management/management.js';
import type { HoldFlag } from './hold.js';
import { STREAMS, type ConsoleClient, type Stream } from './console-client.js';

/**
 * What OpenVPN keeps for its one management client, except for the hold flag. OpenVPN forgets these when the connection
 * ends (`man_connection_settings_reset` in manage.c). The version is an exception: the process keeps it
 * (`man_connection_init`), also one that was set by an earlier management client, e.g. a subflowd that was killed.
 */
export interface Settings extends Readonly<Record<Stream, boolean>> {
  /** Seconds; 0: none. */
  readonly bytecount: number;
  /** Undefined in what OpenVPN has: not known. Undefined in what clients need: there is no client. */
  readonly version: number | undefined;
}

const NEW_CONNECTION_SETTINGS: Settings = {
  log: false,
  echo: false,
  state: false,
  bytecount: 0,
  version: undefined,
};

/**
 * Combines the settings of all clients into the settings that OpenVPN must have.
 * @param answerer the client that answers OpenVPN's questions, whose version counts. Without one, the newest version of a
 * client counts.
 */
export function combineSettings(
  clients: Iterable<ConsoleClient>,
  answerer: ConsoleClient | undefined,
): Settings {
  const all = [...clients];
  const intervals = all.map(({ bytecountSeconds }) => bytecountSeconds).filter((seconds) => seconds > 0);
  const versions = (answerer ? [answerer] : all).map(({ version }) => version);
  const isWanted = (stream: Stream) => all.some(({ wantedStreams }) => wantedStreams.has(stream));
  return {
    log: isWanted('log'),
    echo: isWanted('echo'),
    state: isWanted('state'),
    bytecount: intervals.reduce((least, each) => Math.min(least, each), intervals[0] ?? 0),
    version: versions.length === 0 ? undefined : versions.reduce((most, each) => Math.max(most, each)),
  };
}

/**
 * Commands from here that OpenVPN has not answered yet. Beyond this number, the next update waits until all are answered
 * and then sends only the final state: a client can change its settings faster than OpenVPN reads them.
 */
export const MAX_UNANSWERED = 16;

/**
 * Keeps OpenVPN's settings as the clients together need them. At each change and at each new connection it computes them
 * from what the clients want now, not from what was sent before.
 */
export class SharedSettings {
  /** OpenVPN's settings after every command that was sent to it; undefined while it is not connected. */
  #current: Settings | undefined;
  /** Whether the OpenVPN process may have a version that was set from here. */
  #hasSetVersion = false;
  #unanswered = 0;
  /** Number of `hold on` and `hold off` commands that were sent. */
  #holdCommands = 0;
  /** Whether an update was put off because {@link MAX_UNANSWERED} commands were not answered. */
  #hasDeferredUpdate = false;

  /** @param onReleased called when OpenVPN is released because every client that wanted it to wait has left. */
  constructor(
    private readonly management: Management,
    private readonly clients: ReadonlySet<ConsoleClient>,
    private readonly answeringClient: () => ConsoleClient | undefined,
    private readonly hold: HoldFlag<ConsoleClient>,
    private readonly onReleased: () => void,
  ) {}

  /** The version of OpenVPN's management interface; 0 while it is not connected. */
  get managementVersion(): number {
    return Number(/Interface Version (\d+)/.exec(this.management.greeting ?? '')?.[1] ?? 0);
  }

  /** The settings that all clients together need. */
  needed(): Settings {
    return combineSettings(this.clients, this.answeringClient());
  }

  /** OpenVPN has sent its greeting. */
  onConnect(): void {
    this.#current = NEW_CONNECTION_SETTINGS;
    this.update();
  }

  /** OpenVPN has reported its PID. It is now asked for its hold flag. @param onHoldKnown called when it has answered. */
  onPid(pid: number, onHoldKnown: () => void = () => undefined): void {
    this.#ask('hold', (reply) => {
      if ('lost' in reply) return;
      this.hold.setReported(reply.parts[0]?.at(-1) === 'SUCCESS: hold=1', pid);
      onHoldKnown();
      this.update();
    });
  }

  onDisconnect(): void {
    this.#current = undefined;
    this.hold.disconnect();
  }

  /**
   * Assumes these settings, because the command of a client that sets them is being forwarded.
   * @returns a function that restores the settings before, for a command that did not reach OpenVPN.
   */
  assumeSet(settings: Partial<Settings>): () => void {
    const before = this.#current;
    if (before === undefined) return () => undefined;
    const hadSetVersion = this.#hasSetVersion;
    this.#current = { ...before, ...settings };
    if (settings.version !== undefined) this.#hasSetVersion = true;
    return () => {
      if (this.#current === undefined) return;
      for (const name of Object.keys(settings) as (keyof Settings)[])
        this.#current = { ...this.#current, [name]: before[name] };
      this.#hasSetVersion = hadSetVersion;
    };
  }

  /** Sends OpenVPN every setting that it does not have as the clients need it. */
  update(): void {
    const has = this.#current;
    if (has === undefined) return;
    this.#hasDeferredUpdate = this.#unanswered >= MAX_UNANSWERED;
    if (this.#hasDeferredUpdate) return;
    const needed = this.needed();
    // OpenVPN 2.4 (management version 1) has only one version
    const isVersionNeeded = needed.version !== undefined && this.managementVersion > 1;
    const version = isVersionNeeded ? needed.version : this.#hasSetVersion ? 1 : has.version;
    this.assumeSet({ ...needed, ...(version !== undefined && { version }) });
    if (version !== has.version && version !== undefined) this.#ask(`version ${version}`);
    for (const stream of Object.keys(STREAMS) as Stream[]) {
      if (needed[stream] !== has[stream]) this.#ask(`${stream} ${needed[stream] ? 'on' : 'off'}`);
    }
    if (needed.bytecount !== has.bytecount) this.#ask(`bytecount ${needed.bytecount}`);
    this.#updateHold();
  }

  /**
   * A client has sent `hold off`. If no other client wants the flag, OpenVPN is sent the command.
   * @param onReply called with OpenVPN's reply. If there is none, the flag of the client is as before.
   * @returns whether the command was sent. If not, it is sent when no client wants the flag any more.
   */
  turnHoldOff(client: ConsoleClient, onReply: ReplyHandler): boolean {
    const hadSetHold = client.hasSetHold;
    const isSent = this.hold.turnOff(client, this.#unanswered < MAX_UNANSWERED);
    if (isSent) {
      this.#askHold('off', (reply) => {
        if ('lost' in reply) client.hasSetHold ||= hadSetHold;
        onReply(reply);
      });
    }
    this.update();
    return isSent;
  }

  #updateHold(): void {
    const flag = this.hold.nextCommand();
    if (flag !== undefined) this.#askHold(flag);
    if (!this.hold.isAbandoned) return;
    this.onReleased();
    this.#ask('hold release');
  }

  #askHold(flag: 'on' | 'off', onReply: ReplyHandler = () => undefined): void {
    const number = ++this.#holdCommands;
    this.#ask(`hold ${flag}`, (reply) => {
      if (flag === 'off' && 'parts' in reply) this.hold.confirmOff(number === this.#holdCommands);
      onReply(reply);
    });
  }

  #ask(text: string, onReply: ReplyHandler = () => undefined): void {
    this.#unanswered += 1;
    this.management.ask({ text, endings: endingsOf(parseLine(text)), isSetting: true }, (reply) => {
      this.#unanswered -= 1;
      onReply(reply);
      if (this.#hasDeferredUpdate && this.#unanswered === 0) this.update();
    });
  }
}
