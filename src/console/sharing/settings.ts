import { endingsOf } from '../../openvpn/answers.js';
import { parseLine } from '../../openvpn/command-line.js';
import type { Taker } from '../../openvpn/exchanges.js';
import type { Management } from '../../openvpn/management.js';
import type { HoldFlag } from './hold.js';
import { STREAMS, type Seat, type Stream } from './console-client.js';

/**
 * What OpenVPN keeps of its one management client, but for its hold flag. It forgets it with the connection
 * (`man_connection_settings_reset` of its manage.c), except for the version, which the process keeps
 * (`man_connection_init`).
 */
export interface Settings extends Readonly<Record<Stream, boolean>> {
  /** Seconds; 0: none. */
  readonly bytecount: number;
  /** Undefined: what it has is not known; as a need: any will do. */
  readonly version: number | undefined;
}

const OF_A_NEW_CONNECTION: Settings = {
  log: false,
  echo: false,
  state: false,
  bytecount: 0,
  version: undefined,
};

/**
 * What OpenVPN must have for all clients together.
 * @param answerer the client that answers its questions; without one, the newest version that a client said.
 */
export function settingsFor(seats: Iterable<Seat>, answerer: Seat | undefined): Settings {
  const all = [...seats];
  const intervals = all.map(({ bytecount }) => bytecount).filter((seconds) => seconds > 0);
  const versions = (answerer ? [answerer] : all.filter(({ saidVersion }) => saidVersion)).map(
    ({ version }) => version,
  );
  const isWanted = (stream: Stream) => all.some(({ wants }) => wants.has(stream));
  return {
    log: isWanted('log'),
    echo: isWanted('echo'),
    state: isWanted('state'),
    bytecount: intervals.reduce((least, each) => Math.min(least, each), intervals[0] ?? 0),
    version: versions.length === 0 ? undefined : versions.reduce((most, each) => Math.max(most, each)),
  };
}

/**
 * Of ours, that OpenVPN has not answered yet: with more, it is told only of what has become of it when these are answered.
 * A client can change its mind faster than OpenVPN listens.
 */
export const MOST_UNANSWERED = 16;

/**
 * Has OpenVPN keep what all clients of its console together need: at each change, and anew at each connection, from what
 * the clients want and not from what was said before.
 */
export class SharedSettings {
  /** What OpenVPN has once all that waits for it is done; undefined while it is not connected. */
  #has: Settings | undefined;
  /** A process may have a version from us. */
  #saidVersion = false;
  #unanswered = 0;
  /** Something may have changed since {@link MOST_UNANSWERED} was reached. */
  #isLate = false;

  /** @param onReleased OpenVPN is told to wait no longer, as nobody is left who wanted it to. */
  constructor(
    private readonly management: Management,
    private readonly seats: ReadonlySet<Seat>,
    private readonly answerer: () => Seat | undefined,
    private readonly hold: HoldFlag<Seat>,
    private readonly onReleased: () => void,
  ) {}

  /** What all clients together need. */
  needed(): Settings {
    return settingsFor(this.seats, this.answerer());
  }

  /** OpenVPN has greeted. */
  connect(): void {
    this.#has = OF_A_NEW_CONNECTION;
    this.adjust();
  }

  /** It has said which process it is: it is asked for its hold flag. @param onHoldKnown it has said that, too. */
  identify(pid: number, onHoldKnown: () => void = () => undefined): void {
    this.#ask('hold', (reply) => {
      if ('lost' in reply) return;
      this.hold.learn(reply.parts[0]?.at(-1) === 'SUCCESS: hold=1', pid);
      onHoldKnown();
      this.adjust();
    });
  }

  disconnect(): void {
    this.#has = undefined;
    this.hold.disconnect();
  }

  /**
   * A client's own command gives OpenVPN this: nothing is said for it besides.
   * @returns takes it back, where OpenVPN was not told.
   */
  isGiven(settings: Partial<Settings>): () => void {
    const before = this.#has;
    if (before === undefined) return () => undefined;
    const saidVersion = this.#saidVersion;
    this.#has = { ...before, ...settings };
    if (settings.version !== undefined) this.#saidVersion = true;
    return () => {
      if (this.#has === undefined) return;
      for (const name of Object.keys(settings) as (keyof Settings)[])
        this.#has = { ...this.#has, [name]: before[name] };
      this.#saidVersion = saidVersion;
    };
  }

  /** Says to OpenVPN what it does not have as it is needed. */
  adjust(): void {
    const has = this.#has;
    if (has === undefined) return;
    this.#isLate = this.#unanswered >= MOST_UNANSWERED;
    if (this.#isLate) return;
    const needed = this.needed();
    const version = needed.version ?? (this.#saidVersion ? 1 : has.version);
    this.isGiven({ ...needed, ...(version !== undefined && { version }) });
    if (version !== has.version && version !== undefined) this.#ask(`version ${version}`);
    for (const stream of Object.keys(STREAMS) as Stream[]) {
      if (needed[stream] !== has[stream]) this.#ask(`${stream} ${needed[stream] ? 'on' : 'off'}`);
    }
    if (needed.bytecount !== has.bytecount) this.#ask(`bytecount ${needed.bytecount}`);
    this.#adjustHold();
  }

  #adjustHold(): void {
    const flag = this.hold.change();
    if (flag !== undefined) {
      this.#ask(`hold ${flag}`, (reply) => {
        if (flag === 'off' && 'parts' in reply) this.hold.isOff();
      });
    }
    if (!this.hold.isAbandoned) return;
    this.onReleased();
    this.#ask('hold release');
  }

  #ask(text: string, taker: Taker = () => undefined): void {
    this.#unanswered += 1;
    this.management.ask({ text, endings: endingsOf(parseLine(text)), isSetting: true }, (reply) => {
      this.#unanswered -= 1;
      taker(reply);
      if (this.#isLate && this.#unanswered === 0) this.adjust();
    });
  }
}
