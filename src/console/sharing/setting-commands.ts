import { endingsOf } from '../../openvpn/management/answers.js';
import { atoi, parseLine } from '../../openvpn/management/command-line.js';
import type { Request } from '../../openvpn/management/exchanges.js';
import type { Management } from '../../openvpn/management/management.js';
import { quoteWord } from '../../util/words.js';
import { success } from '../common/answer.js';
import type { CommandForwarder, Respond } from './command-forwarder.js';
import type { ConsoleClient, Stream } from './console-client.js';
import type { HoldFlag } from './hold.js';
import type { SharedSettings } from './settings.js';

/**
 * The largest N of `log N` that OpenVPN gets. It counts down from N even if it has fewer lines, so a larger N is sent as
 * `all`.
 */
export const MAX_REQUESTED_LINES = 100_000;

/** Asks OpenVPN for its hold flag, which {@link HoldFlag} then knows. If it does not yet, the question is asked again. */
const HOLD_QUERY: Request = { text: 'hold', endings: endingsOf(parseLine('hold')), isReadOnly: true };

/**
 * The commands that change a setting of the client that sends them. Each console client has its own settings, and OpenVPN
 * has what all of them need ({@link SharedSettings}). A command that is answered with an error changes nothing.
 */
export class SettingCommands {
  constructor(
    private readonly management: Management,
    private readonly forwarder: CommandForwarder,
    private readonly settings: SharedSettings,
    private readonly holdFlag: HoldFlag<ConsoleClient>,
    /** Called when OpenVPN has accepted `hold release`. */
    private readonly onReleased: () => void,
  ) {}

  /** `log`, `echo` and `state`, each with up to two of `on`, `off`, `all` and a number of lines. */
  stream(
    client: ConsoleClient,
    stream: Stream,
    parameters: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const [wasWanted, wasSent] = [client.wantedStreams.has(stream), client.sentStreams.has(stream)];
    // OpenVPN reads no more than two parameters.
    const asked = parameters.slice(0, 2);
    for (const parameter of asked) {
      if (parameter === 'on') client.wantedStreams.add(stream);
      if (parameter === 'off') {
        client.wantedStreams.delete(stream);
        client.sentStreams.delete(stream);
      }
    }
    const isSetting = asked.includes('on') || asked.includes('off');
    const isWanted = this.settings.needed()[stream];
    // OpenVPN stays on if another client needs the messages. This client gets the answer as if they were off.
    const isLeftOn = asked.map((parameter) => parameter === 'off' && isWanted);
    const sent = asked.map((parameter, index) => {
      if (isLeftOn[index]) return 'on';
      return atoi(parameter) > MAX_REQUESTED_LINES ? 'all' : quoteWord(parameter);
    });
    const text = asked.length === 0 ? request.text : [stream, ...sent].join(' ');
    const restore = this.settings.assumeSet(isSetting ? { [stream]: isWanted } : {});
    this.forwarder.forward({ ...request, text, isReadOnly: !isSetting }, respond, {
      toLines: (parts) => {
        if (client.wantedStreams.has(stream)) client.sentStreams.add(stream);
        return parts.flatMap((part, index) =>
          isLeftOn[index] ? [`SUCCESS: real-time ${stream} notification set to OFF`] : part,
        );
      },
      onFailure: () => {
        setMember(client.wantedStreams, stream, wasWanted);
        setMember(client.sentStreams, stream, wasSent);
        restore();
      },
    });
  }

  /** `bytecount N`: OpenVPN gets the interval that all clients together need. */
  bytecount(client: ConsoleClient, parameter: string | undefined, request: Request, respond: Respond): void {
    if (parameter === undefined || this.#isDisconnected) {
      this.forwarder.forward(request, respond);
      return;
    }
    const ownBefore = client.bytecountSeconds;
    const neededBefore = this.settings.needed().bytecount;
    client.bytecountSeconds = Math.max(0, atoi(parameter));
    client.forgetReports();
    const { bytecount } = this.settings.needed();
    if (bytecount === neededBefore) {
      respond(success('bytecount interval changed'));
      return;
    }
    const restore = this.settings.assumeSet({ bytecount });
    this.forwarder.forward({ ...request, text: `bytecount ${bytecount}` }, respond, {
      onFailure: () => {
        client.bytecountSeconds = ownBefore;
        restore();
      },
    });
  }

  /** `hold`, with `on`, `off`, `release` or nothing. */
  hold(client: ConsoleClient, parameter: string | undefined, request: Request, respond: Respond): void {
    if (this.#isDisconnected) {
      this.forwarder.forward(request, respond);
      return;
    }
    if (!this.holdFlag.isKnown && [undefined, 'on', 'off'].includes(parameter)) {
      this.management.ask(HOLD_QUERY, (reply) => {
        if ('lost' in reply) this.forwarder.respondWith(reply, respond);
        else this.hold(client, parameter, request, respond);
      });
      return;
    }
    switch (parameter) {
      case undefined:
        respond(success(`hold=${this.holdFlag.flagOf(client) ? 1 : 0}`));
        break;
      case 'on':
        client.hasSetHold = true;
        this.settings.update();
        respond(success('hold flag set to ON'));
        break;
      case 'off':
        this.#turnHoldOff(client, respond);
        break;
      case 'release':
        this.#releaseHold(client, request, respond);
        break;
      default:
        // OpenVPN refuses it
        this.forwarder.forward(request, respond);
    }
  }

  /** The version decides which questions a client understands. OpenVPN gets the version of the client that answers. */
  version(client: ConsoleClient, parameter: string | undefined, request: Request, respond: Respond): void {
    // OpenVPN 2.4 (management version 1) accepts no parameter.
    if (parameter === undefined || this.managementVersion === 1) {
      this.forwarder.forward({ ...request, isReadOnly: true }, respond);
      return;
    }
    const before = client.version;
    client.version = atoi(parameter);
    if (this.#isDisconnected || this.settings.needed().version === client.version) {
      const restore = this.settings.assumeSet({ version: client.version });
      this.forwarder.forward(request, respond, {
        onFailure: () => {
          client.version = before;
          restore();
        },
      });
      return;
    }
    const isAnswered = this.#answersVersion && client.version >= 4;
    respond(isAnswered ? success(`Management client version set to ${client.version}`) : { lines: [] });
    this.settings.update();
  }

  /** The version of OpenVPN's management interface; 0 while it is not connected. */
  get managementVersion(): number {
    return this.settings.managementVersion;
  }

  #turnHoldOff(client: ConsoleClient, respond: Respond): void {
    const isSent = this.settings.turnHoldOff(client, (reply) => {
      this.forwarder.respondWith(reply, respond);
    });
    if (!isSent) respond(success('hold flag set to OFF'));
  }

  /** Forwards `hold release` when all clients that have set the flag have released it. */
  #releaseHold(client: ConsoleClient, request: Request, respond: Respond): void {
    client.hasReleased = true;
    const others = this.holdFlag.countOthersWaiting(client);
    if (this.holdFlag.isWaiting && others > 0) {
      const who = `${others} more client${others === 1 ? '' : 's'}`;
      respond(success(`hold release noted; OpenVPN waits for ${who} to release it or leave`));
      return;
    }
    this.forwarder.forward(request, respond, {
      toLines: (parts) => {
        this.onReleased();
        return parts.flat();
      },
    });
  }

  /** OpenVPN answers `version N` from 2.7.1 on. Its management version is 5, as before; that of 2.7.2 is 6. */
  get #answersVersion(): boolean {
    return this.managementVersion >= 6 || /^OpenVPN 2\.7\.1\b/.test(this.management.version);
  }

  get #isDisconnected(): boolean {
    return this.management.greeting === undefined;
  }
}

function setMember(streams: Set<Stream>, stream: Stream, isIn: boolean): void {
  if (isIn) streams.add(stream);
  else streams.delete(stream);
}
