import { splitMessage } from '../../openvpn/management/message-reader.js';
import type { Claims } from './claims.js';
import { filterVariables } from './env-filter.js';
import type { HoldFlag } from './hold.js';
import { STREAMS, type ConsoleClient, type Stream } from './console-client.js';

/** Questions that OpenVPN sends again to each new management client, until one answers. */
const QUESTIONS = new Set([
  'NEED-OK',
  'NEED-STR',
  'RSA_SIGN',
  'PK_SIGN',
  'NEED-CERTIFICATE',
  'REMOTE',
  'PROXY',
]);

/** A real-time message to which OpenVPN waits for an answer. */
interface Question {
  readonly source: string;
  readonly lines: readonly string[];
  /** Clients that have got it. */
  readonly receivers: Set<ConsoleClient>;
}

/** Sends each real-time message of one OpenVPN to those console clients that it is meant for. */
export class MessageDistributor {
  /** The question that OpenVPN waits for; each new client gets it. */
  #question: Question | undefined;
  /** Whether the clients know that nobody has claimed `auth`. */
  #hasReportedUnclaimed = false;

  constructor(
    private readonly clients: ReadonlySet<ConsoleClient>,
    private readonly claims: Claims<ConsoleClient>,
    private readonly hold: HoldFlag<ConsoleClient>,
  ) {}

  /** The source of the question that OpenVPN waits for, e.g. `PASSWORD`. */
  get question(): string | undefined {
    return this.#question?.source;
  }

  /** The question was answered. */
  clearQuestion(): void {
    this.#question = undefined;
  }

  /** A client has claimed `auth`. After it releases the claim, the clients are notified again that nobody has it. */
  onAuthClaimed(): void {
    this.#hasReportedUnclaimed = false;
  }

  /** The connection to OpenVPN has ended, so OpenVPN will ask its question again. */
  reset(): void {
    this.#question = undefined;
    this.#hasReportedUnclaimed = false;
    for (const client of this.clients) client.forgetReports();
  }

  /** Sends a new client the question that OpenVPN waits for, if it may answer. */
  greet(client: ConsoleClient): void {
    if (this.#question) this.#sendQuestion(this.#question, [client]);
  }

  /**
   * OpenVPN has reported its hold flag. Clients without a flag of their own may get the `>HOLD:` message only now, because
   * OpenVPN can send that message before it reports the flag.
   */
  onHoldFlagReported(): void {
    if (this.#question?.source === 'HOLD') this.#sendQuestion(this.#question, this.clients);
  }

  sendToAll(lines: readonly string[]): void {
    this.#sendTo(lines, () => true);
  }

  /** Sends a message of OpenVPN to the clients that it is meant for. */
  distribute(lines: readonly string[]): void {
    const { source, rest } = splitMessage(lines);
    const stream = (Object.keys(STREAMS) as Stream[]).find((each) => STREAMS[each] === source);
    if (stream !== undefined) this.#sendTo(lines, ({ sentStreams }) => sentStreams.has(stream));
    else if (source === 'BYTECOUNT' || source === 'BYTECOUNT_CLI') {
      const cid = source === 'BYTECOUNT' ? '' : (rest.split(',', 1)[0] ?? '');
      const now = performance.now();
      this.#sendTo(lines, (client) => client.isDue(cid, now));
    } else if (source === 'CLIENT') this.#distributeClientMessage(lines, rest);
    else if (source === 'HOLD') {
      this.hold.startWaiting();
      this.#sendQuestion((this.#question = newQuestion(source, lines)), this.clients);
    } else if (source === 'PASSWORD' && rest.startsWith('Auth-Token:')) {
      // the token is a secret: only the client that answers OpenVPN may see it
      this.claims.claimant('questions')?.send(lines);
    } else if (QUESTIONS.has(source) || source === 'PASSWORD' || source === 'INFOMSG') {
      const question = newQuestion(source, lines);
      if (QUESTIONS.has(source) || rest.startsWith('Need ')) this.#question = question;
      this.#sendQuestion(question, this.clients);
    } else this.sendToAll(lines);
  }

  #distributeClientMessage(lines: readonly string[], rest: string): void {
    const [type = '', cid = ''] = rest.split(',', 2);
    if (type === 'CONNECT' || type === 'REAUTH' || type === 'CR_RESPONSE') {
      this.claims.addPending(cid, lines);
      const claimant = this.claims.claimant('auth');
      claimant?.send(filterVariables(lines, claimant.envFilterLevel));
      if (claimant === undefined && !this.#hasReportedUnclaimed) {
        this.#hasReportedUnclaimed = true;
        const notice = ['>INFO:OpenVPN asks whether to admit clients; to answer it, send "mptcp claim auth"'];
        this.#sendTo(notice, ({ wantsAuth }) => !wantsAuth);
      }
      return;
    }
    if (type === 'DISCONNECT') {
      this.claims.removePending(cid);
      for (const client of this.clients) client.forgetReports(cid);
    }
    for (const client of this.clients) client.send(filterVariables(lines, client.envFilterLevel));
  }

  #mayAnswer(client: ConsoleClient, source: string): boolean {
    if (source === 'HOLD') return this.hold.receivesWait(client);
    const claimant = this.claims.claimant('questions');
    return claimant === undefined || claimant === client;
  }

  /** Sends a question to those clients that may answer it and have not got it yet. */
  #sendQuestion({ source, lines, receivers }: Question, clients: Iterable<ConsoleClient>): void {
    for (const client of clients) {
      if (receivers.has(client) || !this.#mayAnswer(client, source)) continue;
      receivers.add(client);
      client.send(lines);
    }
  }

  #sendTo(lines: readonly string[], isReceiver: (client: ConsoleClient) => boolean): void {
    for (const client of this.clients) if (isReceiver(client)) client.send(lines);
  }
}

function newQuestion(source: string, lines: readonly string[]): Question {
  return { source, lines, receivers: new Set() };
}
