import { EventEmitter } from 'node:events';
import { endingsOf } from '../../openvpn/answers.js';
import { asOpenvpnReads, atoi, LONGEST_LINE, parseLine } from '../../openvpn/command-line.js';
import type { Request } from '../../openvpn/exchanges.js';
import type { Management } from '../../openvpn/management.js';
import { failure, success, type Answer, type Tell } from '../common/answer.js';
import { Answering } from './answering.js';
import { Audience } from './audience.js';
import { Block, isAskedBy, withoutRefusedLines, type WholeBlock } from './block.js';
import { Claims } from './claims.js';
import { DISPOSITIONS, type Claim, type Disposition } from '../common/dispositions.js';
import { HoldFlag } from './hold.js';
import { Passage, type Respond } from './pass.js';
import { Seat, type Stream } from './console-client.js';
import { loggableOrder } from '../common/secrecy.js';
import { SettingCommands } from './setting-commands.js';
import { SharedSettings } from './settings.js';

interface SharingMap {
  /** A client changes OpenVPN for all: who, and what of its words is no secret. */
  order: [number, string];
}

const NOT_ASCII = 'OpenVPN drops whatever is not ASCII from a line, and would do something else';

/** `test N` makes OpenVPN build N lines before it does anything else. */
export const MOST_TEST_LINES = 10_000;

/**
 * One OpenVPN's management interface for any number of clients: each has what OpenVPN would keep of its one client
 * ({@link Seat}), and OpenVPN has what all of them together need ({@link SharedSettings}). What is done with each command
 * is in {@link DISPOSITIONS}.
 */
export class Sharing extends EventEmitter<SharingMap> {
  readonly #seats = new Set<Seat>();
  readonly #claims = new Claims<Seat>();
  readonly #hold = new HoldFlag<Seat>(this.#seats);
  readonly #audience = new Audience(this.#seats, this.#claims, this.#hold);
  readonly #passage: Passage;
  readonly #settings: SharedSettings;
  readonly #commands: SettingCommands;
  readonly #answering: Answering;
  #count = 0;

  constructor(
    private readonly name: string,
    private readonly management: Management,
  ) {
    super();
    const onReleased = () => {
      this.#hold.end();
      if (this.#audience.question === 'HOLD') this.#audience.settle();
    };
    this.#passage = new Passage(name, management);
    this.#settings = new SharedSettings(
      management,
      this.#seats,
      () => this.#claims.holder('questions'),
      this.#hold,
      onReleased,
    );
    this.#commands = new SettingCommands(management, this.#passage, this.#settings, this.#hold, onReleased);
    this.#answering = new Answering(
      this.#passage,
      this.#settings,
      this.#claims,
      this.#audience,
      this.#seats,
      (claim) => {
        management.hasAnswerer(claim === 'auth' ? 'auth' : 'password');
      },
    );
    management.isAnswered = (question) => {
      if (question === 'hold') return this.#hold.isWanted;
      return this.#claims.holder(question === 'auth' ? 'auth' : 'questions') !== undefined;
    };
    management.farewell = () => this.#hold.undo();
    management
      .on('greeted', (greeting) => {
        this.#claims.connect();
        this.#settings.connect();
        this.#audience.tellAll([greeting]);
      })
      .on('ready', ({ pid }) => {
        this.#claims.identify(pid);
        this.#settings.identify(pid, () => {
          this.#audience.holdIsKnown();
        });
      })
      .on('notice', (lines) => {
        this.#audience.tell(lines);
      })
      .on('hungUp', (reason) => {
        this.#onHungUp(reason);
      });
  }

  /**
   * A client comes; it is told what OpenVPN tells its one client.
   * @param hangUp hangs up on it while OpenVPN is away; without it, it stays and is told.
   */
  join(tell: Tell, hangUp?: () => void): Seat {
    const seat = new Seat(++this.#count, tell, hangUp);
    const { greeting } = this.management;
    if (greeting === undefined && hangUp) {
      tell([`ERROR: OpenVPN ${this.name} is not connected`]);
      hangUp();
      return seat;
    }
    this.#seats.add(seat);
    seat.tell([greeting ?? `>INFO:OpenVPN ${this.name} is not connected: you will be told when it is`]);
    this.#audience.welcome(seat);
    return seat;
  }

  /** A client goes, and with it all that OpenVPN did only for it. */
  leave(seat: Seat): void {
    if (!this.#seats.delete(seat)) return;
    this.#claims.releaseAll(seat);
    this.#settings.adjust();
  }

  /**
   * Does one line of a client, or takes it for a command of several; answers once, also with nothing.
   * @returns whether it is a question.
   */
  run(seat: Seat, line: string, respond: Respond): boolean {
    // what it sent ahead before it left is nobody's wish any more
    if (!this.#seats.has(seat)) {
      respond({ lines: [] });
      return false;
    }
    const text = asOpenvpnReads(line);
    const refused = /[^\0-\x7f]/.test(line) ? NOT_ASCII : undefined;
    if (seat.block) {
      const block = seat.block.push(text, refused);
      if (block) this.#take(seat, block, respond);
      else respond({ lines: [] });
      return false;
    }
    if (refused !== undefined) {
      respond(failure(`${refused}: say a client by its CID`));
      return false;
    }
    if (text.length > LONGEST_LINE) {
      respond(failure(`OpenVPN takes no line longer than ${LONGEST_LINE} characters`));
      return false;
    }
    const parsed = parseLine(text);
    const request: Request = { text, endings: endingsOf(parsed) };
    if (typeof parsed === 'string') {
      this.#passage.pass(request, respond);
      return false;
    }
    const [command = '', ...parameters] = parsed.words;
    if (command === 'exit' || command === 'quit') {
      respond({ lines: [], hangUp: true });
      return false;
    }
    const disposition = DISPOSITIONS.get(command) ?? 'order';
    if (this.#isOfSeveral(seat, command, parameters)) {
      if (this.#answering.deny(seat, command, disposition, respond)) return false;
      seat.block = new Block(text);
      respond({ lines: [] });
      return false;
    }
    this.#dispatch(seat, { command, parameters, disposition, request }, respond);
    return disposition === 'question';
  }

  /** `mptcp claim`. */
  claim(seat: Seat, claim: Claim): Answer {
    return this.#answering.claim(seat, claim);
  }

  /** `mptcp release`. */
  release(seat: Seat, claim: Claim): Answer {
    return this.#answering.release(seat, claim);
  }

  #dispatch(seat: Seat, { command, parameters, disposition, request }: Dispatched, respond: Respond): void {
    const [first] = parameters;
    switch (disposition) {
      case 'question':
        this.#passage.pass(
          { ...request, text: plainest(command, first, request.text), isQuestion: true },
          respond,
        );
        return;
      case 'order':
        this.#order(seat, command, parameters, request, respond);
        return;
      case 'stream':
        this.#commands.stream(seat, command as Stream, parameters, request, respond);
        return;
      case 'bytecount':
        this.#commands.bytecount(seat, first, request, respond);
        return;
      case 'hold':
        this.#commands.doHold(seat, first, request, respond);
        return;
      case 'env-filter':
        seat.envFilter = atoi(first ?? '');
        respond(success(`env_filter_level=${seat.envFilter}`));
        return;
      case 'version':
        this.#commands.version(seat, first, request, respond);
        return;
      case 'limited':
        if (atoi(first ?? '') > MOST_TEST_LINES)
          respond(failure(`test makes OpenVPN do nothing else meanwhile: at most ${MOST_TEST_LINES} lines`));
        else this.#passage.pass(request, respond);
        return;
      default:
        if (!this.#answering.deny(seat, command, disposition, respond))
          this.#answering.answer(seat, disposition.claim, command, parameters, request, respond);
    }
  }

  /** A command that is not known is reported once OpenVPN has taken it: what it does not know can be a mistyped password. */
  #order(
    seat: Seat,
    command: string,
    parameters: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const loggable = loggableOrder(command, parameters);
    if (loggable !== undefined) {
      if (parameters.length > 0 || command === 'forget-passwords') this.emit('order', seat.id, loggable);
      this.#passage.pass(request, respond);
      return;
    }
    this.#passage.pass(request, respond, {
      read: (parts) => {
        const lines = parts.flat();
        if (!lines.some((line) => line.startsWith('ERROR:'))) this.emit('order', seat.id, command);
        return lines;
      },
    });
  }

  /** Whether lines up to `END` follow: so it is where OpenVPN would not refuse the first line at once. */
  #isOfSeveral({ version }: Seat, command: string, parameters: readonly string[]): boolean {
    const [first, second] = parameters;
    if (command === 'client-auth') return isNumber(first) && isNumber(second);
    const has = this.#commands.managementVersion;
    // 2.4 and 2.5: management versions 1 to 3
    if (command === 'client-pf') return isNumber(first) && has >= 1 && has <= 3;
    // 2.7.2: management version 6
    if (command === 'password' && (parameters.length !== 1 || version < 5 || has < 6)) return false;
    return isAskedBy(command, this.#audience.question);
  }

  #take(seat: Seat, { command, parameters, request, refused }: WholeBlock, respond: Respond): void {
    seat.block = undefined;
    const disposition = DISPOSITIONS.get(command) ?? 'order';
    if (refused !== undefined) respond(failure(refused));
    else if (typeof disposition === 'string') {
      this.emit('order', seat.id, loggableOrder(command, parameters) ?? command);
      this.#passage.pass(request, respond, { read: (parts) => withoutRefusedLines(command, parts.flat()) });
    } else if (!this.#answering.deny(seat, command, disposition, respond))
      this.#answering.answer(seat, disposition.claim, command, parameters, request, respond);
  }

  #onHungUp(reason: string): void {
    this.#settings.disconnect();
    this.#audience.forget();
    for (const seat of this.#seats) {
      const next = seat.hangUp ? '' : ': you will be told when it is back';
      seat.tell([`>INFO:OpenVPN ${this.name} is lost, ${reason}${next}`]);
      seat.hangUp?.();
    }
  }
}

interface Dispatched {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly disposition: Disposition;
  readonly request: Request;
}

/** As `sscanf` reads `%lu` and `%u`. */
function isNumber(text: string | undefined): boolean {
  return /^\s*[+-]?\d/.test(text ?? '');
}

/**
 * The same question for all who mean the same: OpenVPN reads `status " 3" please` as `status 3`. Its answer is the long one,
 * of which few are to be held.
 */
function plainest(command: string, first: string | undefined, text: string): string {
  if (command !== 'status') return text;
  return first === undefined ? command : `${command} ${atoi(first)}`;
}
