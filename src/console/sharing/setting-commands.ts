import { atoi } from '../../openvpn/command-line.js';
import type { Request } from '../../openvpn/exchanges.js';
import type { Management } from '../../openvpn/management.js';
import { success } from '../common/answer.js';
import type { HoldFlag } from './hold.js';
import type { Passage, Respond } from './pass.js';
import type { Seat, Stream } from './console-client.js';
import type { SharedSettings } from './settings.js';

/** `log N` counts down from N, however few lines there are. */
export const MOST_HISTORY = 100_000;

/**
 * The commands that OpenVPN would keep of its one client: each client of the console has its own, and OpenVPN what all of
 * them need ({@link SharedSettings}). What is answered with an error changes nothing.
 */
export class SettingCommands {
  constructor(
    private readonly management: Management,
    private readonly passage: Passage,
    private readonly settings: SharedSettings,
    private readonly hold: HoldFlag<Seat>,
    private readonly onReleased: () => void,
  ) {}

  /** `log`, `echo`, `state`. */
  stream(
    seat: Seat,
    stream: Stream,
    parameters: readonly string[],
    request: Request,
    respond: Respond,
  ): void {
    const [had, got] = [seat.wants.has(stream), seat.gets.has(stream)];
    // OpenVPN reads two
    const asked = parameters.slice(0, 2);
    for (const parameter of asked) {
      if (parameter === 'on') seat.wants.add(stream);
      if (parameter === 'off') {
        seat.wants.delete(stream);
        seat.gets.delete(stream);
      }
    }
    const isSetting = asked.includes('on') || asked.includes('off');
    const isWanted = this.settings.needed()[stream];
    const spared = asked.map((parameter) => parameter === 'off' && isWanted);
    const said = asked.map((parameter, index) => {
      if (spared[index]) return 'on';
      return atoi(parameter) > MOST_HISTORY ? 'all' : quoted(parameter);
    });
    const text = asked.length === 0 ? request.text : [stream, ...said].join(' ');
    const takeBack = this.settings.isGiven(isSetting ? { [stream]: isWanted } : {});
    this.passage.pass({ ...request, text, isQuestion: !isSetting }, respond, {
      read: (parts) => {
        if (seat.wants.has(stream)) seat.gets.add(stream);
        return parts.flatMap((part, index) =>
          spared[index] ? [`SUCCESS: real-time ${stream} notification set to OFF`] : part,
        );
      },
      failed: () => {
        set(seat.wants, stream, had);
        set(seat.gets, stream, got);
        takeBack();
      },
    });
  }

  bytecount(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    if (parameter === undefined || this.#isAway) {
      this.passage.pass(request, respond);
      return;
    }
    const had = seat.bytecount;
    const before = this.settings.needed().bytecount;
    seat.bytecount = Math.max(0, atoi(parameter));
    seat.forgetReports();
    const { bytecount } = this.settings.needed();
    if (bytecount === before) {
      respond(success('bytecount interval changed'));
      return;
    }
    const takeBack = this.settings.isGiven({ bytecount });
    this.passage.pass({ ...request, text: `bytecount ${bytecount}` }, respond, {
      failed: () => {
        seat.bytecount = had;
        takeBack();
      },
    });
  }

  doHold(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    if (this.#isAway) {
      this.passage.pass(request, respond);
    } else if (parameter === undefined) {
      respond(success(`hold=${this.hold.of(seat) ? 1 : 0}`));
    } else if (parameter === 'on' || parameter === 'off') {
      seat.holds = parameter === 'on';
      this.settings.adjust();
      respond(success(`hold flag set to ${parameter.toUpperCase()}`));
    } else if (parameter !== 'release') {
      this.passage.pass(request, respond);
    } else {
      seat.released = true;
      const others = this.hold.othersHold(seat);
      if (this.hold.waiting && others > 0)
        respond(success(`hold release noted; it is held by ${others} more, until they release it or leave`));
      else {
        this.passage.pass(request, respond, {
          read: (parts) => {
            this.onReleased();
            return parts.flat();
          },
        });
      }
    }
  }

  /** The version says which questions a client understands: OpenVPN has that of the one who answers them. */
  version(seat: Seat, parameter: string | undefined, request: Request, respond: Respond): void {
    // 2.4 (management version 1) knows no parameter
    if (parameter === undefined || this.managementVersion === 1) {
      this.passage.pass({ ...request, isQuestion: true }, respond);
      return;
    }
    const had = { version: seat.version, saidVersion: seat.saidVersion };
    Object.assign(seat, { version: atoi(parameter), saidVersion: true });
    if (this.#isAway || this.settings.needed().version === seat.version) {
      const takeBack = this.settings.isGiven({ version: seat.version });
      this.passage.pass(request, respond, {
        failed: () => {
          Object.assign(seat, had);
          takeBack();
        },
      });
      return;
    }
    const isAnswered = this.#answersVersions && seat.version >= 4;
    respond(isAnswered ? success(`Management client version set to ${seat.version}`) : { lines: [] });
    this.settings.adjust();
  }

  /** Of OpenVPN's management interface; 0 while it is not connected. */
  get managementVersion(): number {
    return Number(/Interface Version (\d+)/.exec(this.management.greeting ?? '')?.[1] ?? 0);
  }

  /** From 2.7.1 on. It has the management version of those before it, 5, and 2.7.2 has 6. */
  get #answersVersions(): boolean {
    return this.managementVersion >= 6 || /^OpenVPN 2\.7\.1\b/.test(this.management.version);
  }

  get #isAway(): boolean {
    return this.management.greeting === undefined;
  }
}

function set(streams: Set<Stream>, stream: Stream, isIn: boolean): void {
  if (isIn) streams.add(stream);
  else streams.delete(stream);
}

function quoted(word: string): string {
  return /^[\w.-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`;
}
