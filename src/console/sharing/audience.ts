import { sourceOf } from '../../openvpn/notices.js';
import type { Claims } from './claims.js';
import { filterVariables } from './env-filter.js';
import type { HoldFlag } from './hold.js';
import { STREAMS, type Seat, type Stream } from './console-client.js';

/** Messages that OpenVPN repeats to each new management client, until they are answered. */
const QUESTIONS = new Set([
  'NEED-OK',
  'NEED-STR',
  'RSA_SIGN',
  'PK_SIGN',
  'NEED-CERTIFICATE',
  'REMOTE',
  'PROXY',
]);

interface Question {
  readonly source: string;
  readonly lines: readonly string[];
  readonly told: Set<Seat>;
}

/** The clients of one OpenVPN's console, and which of its real-time messages each is told. */
export class Audience {
  /** What OpenVPN waits for, told to whoever comes. */
  #question: Question | undefined;
  #toldUnclaimed = false;

  constructor(
    private readonly seats: ReadonlySet<Seat>,
    private readonly claims: Claims<Seat>,
    private readonly hold: HoldFlag<Seat>,
  ) {}

  /** The kind of question that OpenVPN waits for an answer to, e.g. `PASSWORD`. */
  get question(): string | undefined {
    return this.#question?.source;
  }

  /** The question was answered. */
  settle(): void {
    this.#question = undefined;
  }

  /** Somebody answers for `auth` now; when nobody does any more, that is told again. */
  authIsClaimed(): void {
    this.#toldUnclaimed = false;
  }

  /** OpenVPN is gone, and with it what it asked. */
  forget(): void {
    this.#question = undefined;
    this.#toldUnclaimed = false;
    for (const seat of this.seats) seat.forgetReports();
  }

  /** Tells a client that has just come what OpenVPN waits for. */
  welcome(seat: Seat): void {
    if (this.#question) this.#ask(this.#question, [seat]);
  }

  /** OpenVPN has said its own hold flag: those who go by it are told that it waits, as it can begin to before it says so. */
  holdIsKnown(): void {
    if (this.#question?.source === 'HOLD') this.#ask(this.#question, this.seats);
  }

  tellAll(lines: readonly string[]): void {
    this.#tellThose(lines, () => true);
  }

  /** Tells a message of OpenVPN's to those whom it is for. */
  tell(lines: readonly string[]): void {
    const { source, rest } = sourceOf(lines);
    const stream = (Object.keys(STREAMS) as Stream[]).find((each) => STREAMS[each] === source);
    if (stream !== undefined) this.#tellThose(lines, ({ gets }) => gets.has(stream));
    else if (source === 'BYTECOUNT' || source === 'BYTECOUNT_CLI') {
      const cid = source === 'BYTECOUNT' ? '' : (rest.split(',', 1)[0] ?? '');
      const now = performance.now();
      this.#tellThose(lines, (seat) => seat.isDue(cid, now));
    } else if (source === 'CLIENT') this.#tellOfClient(lines, rest);
    else if (source === 'HOLD') {
      this.hold.begin();
      this.#ask((this.#question = newQuestion(source, lines)), this.seats);
    } else if (source === 'PASSWORD' && rest.startsWith('Auth-Token:')) {
      // a secret: for whoever answers for OpenVPN, and nobody else
      this.claims.holder('questions')?.tell(lines);
    } else if (QUESTIONS.has(source) || source === 'PASSWORD' || source === 'INFOMSG') {
      const question = newQuestion(source, lines);
      if (QUESTIONS.has(source) || rest.startsWith('Need ')) this.#question = question;
      this.#ask(question, this.seats);
    } else this.tellAll(lines);
  }

  #tellOfClient(lines: readonly string[], rest: string): void {
    const [type = '', cid = ''] = rest.split(',', 2);
    if (type === 'CONNECT' || type === 'REAUTH' || type === 'CR_RESPONSE') {
      this.claims.await(cid, lines);
      const holder = this.claims.holder('auth');
      holder?.tell(filterVariables(lines, holder.envFilter));
      if (holder === undefined && !this.#toldUnclaimed) {
        this.#toldUnclaimed = true;
        this.tellAll([
          '>INFO:OpenVPN asks whether to let clients in: whoever answers says "mptcp claim auth"',
        ]);
      }
      return;
    }
    if (type === 'DISCONNECT') {
      this.claims.settle(cid);
      for (const seat of this.seats) seat.forgetReports(cid);
    }
    for (const seat of this.seats) seat.tell(filterVariables(lines, seat.envFilter));
  }

  #mayAnswer(seat: Seat, source: string): boolean {
    if (source === 'HOLD') return this.hold.of(seat);
    const holder = this.claims.holder('questions');
    return holder === undefined || holder === seat;
  }

  /** Tells those who may answer and were not told. */
  #ask({ source, lines, told }: Question, seats: Iterable<Seat>): void {
    for (const seat of seats) {
      if (told.has(seat) || !this.#mayAnswer(seat, source)) continue;
      told.add(seat);
      seat.tell(lines);
    }
  }

  #tellThose(lines: readonly string[], which: (seat: Seat) => boolean): void {
    for (const seat of this.seats) if (which(seat)) seat.tell(lines);
  }
}

function newQuestion(source: string, lines: readonly string[]): Question {
  return { source, lines, told: new Set() };
}
