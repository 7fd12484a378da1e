import { EventEmitter } from 'node:events';
import { endingsOf } from '../openvpn/answers.js';
import { asOpenvpnReads, atoi, LONGEST_LINE, parseLine } from '../openvpn/command-line.js';
import type { Reply, Request } from '../openvpn/exchanges.js';
import type { Management } from '../openvpn/management.js';
import { Audience } from './audience.js';
import { Block, isAskedBy, refusesLines, type WholeBlock } from './block.js';
import type { Answer } from './commands.js';
import { Claims } from './claims.js';
import { DISPOSITIONS, type Claim, type Disposition } from './dispositions.js';
import { filterVariables } from './env-filter.js';
import { HoldFlag } from './hold.js';
import { printable } from './printable.js';
import { Seat, STREAMS, type Stream, type Tell } from './seat.js';

interface SharingMap {
  /** A client changes OpenVPN for all: who, and its words. */
  order: [number, string];
}

export type Respond = (answer: Answer) => void;

/** `test N` makes OpenVPN build N lines before it does anything else. */
const MOST_TEST_LINES = 10_000;
/** `log N` counts down from N, however few lines there are. */
const MOST_HISTORY = 100_000;

/**
 * One OpenVPN's management interface for any number of clients: each has what OpenVPN would keep of its one client
 * ({@link Seat}), and OpenVPN has what all of them together need. What is done with each command is in
 * {@link DISPOSITIONS}.
 */
export class Sharing extends EventEmitter<SharingMap> {
  readonly #seats = new Set<Seat>();
  readonly #claims = new Claims<Seat>();
  readonly #hold = new HoldFlag<Seat>(this.#seats);
  readonly #audience = new Audience(this.#seats, this.#claims, this.#hold);
  #count = 0;
  /** OpenVPN's interval, seconds. */
  #bytecount = 0;

  constructor(
    private readonly name: string,
    private readonly management: Management,
  ) {
    super();
    management.isAnswered = (question) => {
      if (question === 'hold') return this.#hold.isWanted;
      return this.#claims.holder(question === 'auth' ? 'auth' : 'questions') !== undefined;
    };
    management
      .on('greeted', (greeting) => {
        this.#audience.tellAll([greeting]);
      })
      .on('ready', ({ pid }) => {
        this.#restore(pid);
      })
      .on('notice', (lines) => {
        this.#audience.tell(lines);
      })
      .on('hungUp', (reason) => {
        this.#onHungUp(reason);
      });
  }

  /** A client comes; it is told what OpenVPN tells its one client. */
  join(tell: Tell): Seat {
    const seat = new Seat(++this.#count, tell);
    this.#seats.add(seat);
    const { greeting } = this.management;
    seat.tell([greeting ?? `>INFO:OpenVPN ${this.name} is not connected: you will be told when it is`]);
    this.#audience.welcome(seat);
    return seat;
  }

  /** A client goes, and with it all that OpenVPN did only for it. */
  leave(seat: Seat): void {
    if (!this.#seats.delete(seat)) return;
    this.#claims.releaseAll(seat);
    for (const stream of seat.wants) {
      if (!this.#isWanted(stream)) this.#tellOpenvpn(`${stream} off`);
    }
    this.#adjustBytecount();
    if (seat.holds === true) this.#adjustHold();
  }

  /**
   * Does one line of a client, or takes it for a command of several; answers once, also with nothing.
   * @returns whether it is a question.
   */
  run(seat: Seat, line: string, respond: Respond): boolean {
    const text = asOpenvpnReads(line);
    if (/[^\0-\x7f]/.test(line)) {
      seat.block = undefined;
      respond(
        failure(
          'OpenVPN drops whatever is not ASCII from a line, and would do something else: say a client by its CID',
        ),
      );
      return false;
    }
    if (seat.block) {
      const block = seat.block.push(text);
      if (block) this.#take(seat, block, respond);
      else respond({ lines: [] });
      return false;
    }
    if (text.length > LONGEST_LINE) {
      respond(failure(`OpenVPN takes no line longer than ${LONGEST_LINE} characters`));
      return false;
    }
    const parsed = parseLine(text);
    const request: Request = { text, endings: endingsOf(parsed) };
    if (typeof parsed === 'string') {
      this.#pass(request, respond);
      return false;
    }
    const [command = '', ...parameters] = parsed.words;
    if (command === 'exit' || command === 'quit') {
      respond({ lines: [], hangUp: true });
      return false;
    }
    const disposition = DISPOSITIONS.get(command) ?? 'order';
    if (this.#isOfSeveral(seat, command, parameters)) {
      if (this.#deny(seat, command, disposition, respond)) return false;
      seat.block = new Block(text);
      respond({ lines: [] });
      return false;
    }
    this.#dispatch(seat, { command, parameters, disposition, request }, respond);
    return disposition === 'question';
  }

  /** `mptcp claim`, `mptcp release`. */
  claim(seat: Seat, claim: Claim): Answer {
    const had = this.#claims.holder(claim) === seat;
    if (!this.#claims.take(claim, seat)) return this.#taken(claim);
    if (!had) this.#onClaimed(seat, claim);
    if (!had && claim === 'auth') {
      for (const message of this.#claims.pending()) seat.tell(filterVariables(message, seat.envFilter));
    }
    return success(`${claim} is yours, until you leave or say mptcp release ${claim}`);
  }

  release(seat: Seat, claim: Claim): Answer {
    return this.#claims.release(claim, seat)
      ? success(`${claim} is nobody's now`)
      : failure(`${claim} is not yours`);
  }

  #dispatch(seat: Seat, { command, parameters, disposition, request }: Dispatched, respond: Respond): void {
    const [first] = parameters;
    switch (disposition) {
      case 'question':
        this.#pass({ ...request, text: plainest(command, first, request.text), isQuestion: true }, respond);
        return;
      case 'order':
        if (first !== undefined || command === 'forget-passwords') this.emit('order', seat.id, request.text);
        this.#pass(request, respond);
        return;
      case 'stream':
        this.#stream(seat, command as Stream, parameters, request, respond);
        return;
      case 'bytecount':
        this.#countBytes(seat, first, request, respond);
        return;
      case 'hold':
        this.#doHold(seat, first, request, respond);
        return;
      case 'env-filter':
        seat.envFilter = atoi(first ?? '');
        respond(success(`env_filter_level=${seat.envFilter}`));
        return;
      case 'version':
        this.#setVersion(seat, first, request, respond);
        return;
      case 'limited':
        if (atoi(first ?? '') > MOST_TEST_LINES)
          respond(failure(`test makes OpenVPN do nothing else meanwhile: at most ${MOST_TEST_LINES} lines`));
        else this.#pass(request, respond);
        return;
      default:
        if (!this.#deny(seat, command, disposition, respond))
          this.#answerFor(seat, disposition.claim, command, parameters, request, respond);
    }
  }

  /** Whether lines up to `END` follow: so it is where OpenVPN would not refuse the first line at once. */
  #isOfSeveral({ version }: Seat, command: string, parameters: readonly string[]): boolean {
    const [first, second] = parameters;
    if (command === 'client-auth') return isNumber(first) && isNumber(second);
    const has = this.#managementVersion();
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
      this.emit('order', seat.id, request.text.split('\n', 1)[0] ?? '');
      this.#pass(request, respond, (parts) => withoutRefusedLines(command, parts.flat()));
    } else if (!this.#deny(seat, command, disposition, respond))
      this.#answerFor(seat, disposition.claim, command, parameters, request, respond);
  }

  /** Passes on an answer to a question of OpenVPN's; if OpenVPN takes it, the claim is the client's. */
  #answerFor(
    seat: Seat,
    claim: Claim,
    command: string,
    [cid = '', kid = '']: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    this.#pass(request, respond, (parts) => {
      const lines = parts.flat();
      if (lines.some(isRefusal)) return withoutRefusedLines(command, lines);
      if (command !== 'username') this.#audience.settle();
      if (claim === 'auth' && command !== 'client-pending-auth')
        this.#claims.settle(String(atoi(cid)), String(atoi(kid)));
      const had = this.#claims.holder(claim) === seat;
      if (this.#seats.has(seat) && this.#claims.take(claim, seat) && !had) this.#onClaimed(seat, claim);
      return lines;
    });
  }

  #deny(seat: Seat, command: string, disposition: Disposition, respond: Respond): boolean {
    if (typeof disposition === 'string') return false;
    const holder = this.#claims.holder(disposition.claim);
    if (holder === undefined || holder === seat) return false;
    respond(this.#taken(disposition.claim, command));
    return true;
  }

  #taken(claim: Claim, command?: string): Answer {
    const who = `client ${this.#claims.holder(claim)?.id ?? 0} has claimed ${claim}`;
    return failure(command === undefined ? who : `${command} is for one client, and ${who}`);
  }

  #onClaimed(seat: Seat, claim: Claim): void {
    if (claim === 'auth') this.#audience.authIsClaimed();
    else if (seat.version > 1) this.#tellOpenvpn(`version ${seat.version}`);
  }

  #stream(
    seat: Seat,
    stream: Stream,
    parameters: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const had = seat.wants.has(stream);
    // OpenVPN reads two
    const asked = parameters.slice(0, 2);
    for (const parameter of asked) {
      if (parameter === 'on') seat.wants.add(stream);
      if (parameter === 'off') {
        seat.wants.delete(stream);
        seat.gets.delete(stream);
      }
    }
    const spared = asked.map((parameter) => parameter === 'off' && this.#isWanted(stream));
    const said = asked.map((parameter, index) => {
      if (spared[index]) return 'on';
      return atoi(parameter) > MOST_HISTORY ? 'all' : quoted(parameter);
    });
    const text = asked.length === 0 ? request.text : [stream, ...said].join(' ');
    const isQuestion = asked.every((parameter) => parameter !== 'on' && parameter !== 'off');
    this.#pass(
      { ...request, text, isQuestion },
      respond,
      (parts) => {
        if (seat.wants.has(stream)) seat.gets.add(stream);
        return parts.flatMap((part, index) =>
          spared[index] ? [`SUCCESS: real-time ${stream} notification set to OFF`] : part,
        );
      },
      () => {
        if (!had) seat.wants.delete(stream);
      },
    );
  }

  #countBytes(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    if (parameter === undefined) {
      this.#pass(request, respond);
      return;
    }
    if (this.management.greeting === undefined) {
      this.#pass(request, respond);
      return;
    }
    seat.bytecount = Math.max(0, atoi(parameter));
    seat.forgetReports();
    const next = this.#shortest();
    if (next === this.#bytecount) {
      respond(success('bytecount interval changed'));
      return;
    }
    this.#bytecount = next;
    this.#pass({ ...request, text: `bytecount ${next}` }, respond);
  }

  #adjustBytecount(): void {
    const next = this.#shortest();
    if (next === this.#bytecount) return;
    this.#bytecount = next;
    this.#tellOpenvpn(`bytecount ${next}`);
  }

  #shortest(): number {
    const intervals = [...this.#seats].map(({ bytecount }) => bytecount).filter((seconds) => seconds > 0);
    return intervals.length === 0 ? 0 : Math.min(...intervals);
  }

  #doHold(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    if (this.management.greeting === undefined) {
      this.#pass(request, respond);
    } else if (parameter === undefined) {
      respond(success(`hold=${this.#hold.of(seat) ? 1 : 0}`));
    } else if (parameter === 'on' || parameter === 'off') {
      seat.holds = parameter === 'on';
      this.#adjustHold();
      respond(success(`hold flag set to ${parameter.toUpperCase()}`));
    } else if (parameter !== 'release') {
      this.#pass(request, respond);
    } else {
      seat.released = true;
      const others = this.#hold.othersHold(seat);
      if (this.#hold.waiting && others > 0)
        respond(success(`hold release noted; it is held by ${others} more, until they release it or leave`));
      else {
        this.#pass(request, respond, (parts) => {
          this.#onReleased();
          return parts.flat();
        });
      }
    }
  }

  #adjustHold(): void {
    const flag = this.#hold.change();
    if (flag !== undefined) this.#tellOpenvpn(`hold ${flag}`);
    if (!this.#hold.isAbandoned) return;
    this.#onReleased();
    this.#tellOpenvpn('hold release');
  }

  #onReleased(): void {
    this.#hold.end();
    if (this.#audience.question === 'HOLD') this.#audience.settle();
  }

  /** The version says which questions a client understands: it is OpenVPN's business for the one who answers them. */
  #setVersion(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    // 2.4 (management version 1) knows no parameter
    if (parameter === undefined || this.#managementVersion() === 1) {
      this.#pass({ ...request, isQuestion: true }, respond);
      return;
    }
    seat.version = atoi(parameter);
    const holder = this.#claims.holder('questions');
    if (holder === undefined || holder === seat) this.#pass(request, respond);
    // from 2.7.2 on (management version 6) it is answered, for versions from 4 on
    else if (this.#managementVersion() >= 6 && seat.version >= 4)
      respond(success(`Management client version set to ${seat.version}`));
    else respond({ lines: [] });
  }

  #managementVersion(): number {
    return Number(/Interface Version (\d+)/.exec(this.management.greeting ?? '')?.[1] ?? 0);
  }

  #pass(
    request: Request,
    respond: Respond,
    read: (parts: readonly (readonly string[])[]) => readonly string[] = firstOrAll,
    failed: () => void = () => undefined,
  ): void {
    this.management.ask(request, (reply: Reply) => {
      if ('parts' in reply) respond({ lines: read(reply.parts) });
      else {
        failed();
        respond(failure(`OpenVPN ${this.name} gives no answer: ${reply.lost}`));
      }
    });
  }

  /** For all clients together; if OpenVPN is not there, it is told when it is. */
  #tellOpenvpn(text: string): void {
    this.management.ask({ text, endings: endingsOf(parseLine(text)) }, () => undefined);
  }

  #isWanted(stream: Stream): boolean {
    return [...this.#seats].some(({ wants }) => wants.has(stream));
  }

  #restore(pid: number): void {
    this.management.ask({ text: 'hold', endings: ['line'] }, (reply) => {
      if ('lost' in reply) return;
      this.#hold.learn(reply.parts[0]?.at(-1) === 'SUCCESS: hold=1', pid);
      this.#adjustHold();
    });
    for (const stream of Object.keys(STREAMS) as Stream[]) {
      if (this.#isWanted(stream)) this.#tellOpenvpn(`${stream} on`);
    }
    this.#adjustBytecount();
  }

  #onHungUp(reason: string): void {
    this.#bytecount = 0;
    this.#hold.end();
    this.#claims.forget();
    this.#audience.forget();
    this.#audience.tellAll([
      `>INFO:OpenVPN ${this.name} is lost, ${reason}: you will be told when it is back`,
    ]);
  }
}

interface Dispatched {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly disposition: Disposition;
  readonly request: Request;
}

/** One part as it is, so that all who share an answer share its text. */
function firstOrAll(parts: readonly (readonly string[])[]): readonly string[] {
  return parts.length === 1 ? (parts[0] as readonly string[]) : parts.flat();
}

function isRefusal(line: string): boolean {
  return line.startsWith('ERROR:');
}

/** What came too late is refused, and after it each of its lines as a command: the first refusal says it all. */
function withoutRefusedLines(command: string, lines: readonly string[]): readonly string[] {
  const refusal = lines.find(isRefusal);
  return refusal !== undefined && refusesLines(command) ? [refusal] : lines;
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

function quoted(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}

function success(text: string): Answer {
  return { lines: [`SUCCESS: ${text}`] };
}

function failure(text: string): Answer {
  return { lines: [`ERROR: ${printable(text)}`] };
}
