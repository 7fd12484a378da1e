import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The settings of a new management client (`man_connection_settings_reset` in OpenVPN's manage.c). */
const NOTHING_KEPT = { log: false, echo: false, state: false, bytecount: 0 };

/** Differences between the versions of OpenVPN: the management version, and whether `version N` has an answer. */
export interface Program {
  readonly version: string;
  readonly management: number;
  readonly answersVersions: boolean;
}

const PROGRAM: Program = { version: 'OpenVPN 2.6.14', management: 5, answersVersions: false };

export function greetingOf({ management }: Program): string {
  return `>INFO:OpenVPN Management Interface Version ${management} -- type 'help' for more info`;
}

export const GREETING = greetingOf(PROGRAM);

/** {@link FakeOpenvpnOptions.answer} returns it for a line that is to be answered as OpenVPN answers it. */
export const AS_OPENVPN = Symbol('as OpenVPN');

export interface FakeOpenvpnOptions {
  /** The size of the next piece, in bytes; default 65,536. */
  readonly piece?: () => number;
  /** Real-time messages of whole lines, to send before the next line of an answer; default none. */
  readonly messages?: () => readonly string[];
  readonly program?: Program;
  /** Greets a client instead of OpenVPN's greeting. @param count 1 for the first client. */
  readonly greet?: (socket: Socket, count: number) => unknown;
  /** Answers a line itself, or returns {@link AS_OPENVPN}. */
  readonly answer?: (line: string, socket: Socket) => unknown;
}

/**
 * A management interface with behaviour that a test cannot get from real OpenVPN: answers in pieces of any size,
 * real-time messages at every point where OpenVPN could send one, and any greeting or answer that a test gives.
 */
export class FakeOpenvpn {
  readonly received: string[] = [];
  /** How many clients have connected. */
  connections = 0;
  /** The answer to `status`. By default it has a few rows with the number of the answer. */
  status: readonly string[] | undefined;
  socket: Socket | undefined;
  /** The answer to `status N`, by N. If set, `status` is not used. */
  answers: ((parameter: string) => readonly string[]) | undefined;
  /** The lines that are not answered yet, while {@link isHeld}. */
  #held: string[] | undefined;
  /** The process, with the settings that it keeps when its management client changes. */
  process = { pid: 4242, hold: false, version: 1 };
  /** The settings of its management client, which it forgets when the client disconnects. */
  kept = NOTHING_KEPT;
  /** Every connection is closed immediately, as if OpenVPN did not run. */
  away = false;
  readonly #server: Server;
  readonly #piece: () => number;
  readonly #messages: () => readonly string[];
  readonly #program: Program;
  #serial = 0;
  #out = Buffer.alloc(0);

  private constructor({
    piece = () => 65_536,
    messages = () => [],
    program = PROGRAM,
    greet,
    answer = () => AS_OPENVPN,
  }: FakeOpenvpnOptions) {
    this.#piece = piece;
    this.#messages = messages;
    this.#program = program;
    this.#server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (this.away) {
        socket.destroy();
        return;
      }
      this.socket = socket;
      this.connections += 1;
      this.kept = NOTHING_KEPT;
      let rest = '';
      socket.on('data', (data) => {
        const lines = (rest + data.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          if (socket !== this.socket) continue;
          this.received.push(line);
          if (answer(line, socket) === AS_OPENVPN) this.#answer(line);
        }
      });
      if (greet) greet(socket, this.connections);
      else this.#say(greetingOf(program));
    });
  }

  /** @param where path of a unix socket; 0: any port of 127.0.0.1. */
  static async listen(where: string | 0, options: FakeOpenvpnOptions = {}): Promise<FakeOpenvpn> {
    const fake = new FakeOpenvpn(options);
    fake.#server.listen(where === 0 ? { port: 0, host: '127.0.0.1' } : { path: where });
    await once(fake.#server, 'listening');
    return fake;
  }

  /** Where it listens. */
  get address(): AddressInfo | string {
    return this.#server.address() ?? '';
  }

  /** Sends a real-time message. */
  tell(...lines: readonly string[]): void {
    this.#say(...lines);
  }

  /** Disconnects, and accepts no connection while {@link away}. */
  leave(): void {
    this.away = true;
    this.socket?.destroy();
    this.socket = undefined;
    this.#out = Buffer.alloc(0);
  }

  close(): void {
    this.socket?.destroy();
    this.#server.close();
  }

  /** While true, nothing is answered. At the end all held lines are answered. */
  set isHeld(isHeld: boolean) {
    const held = this.#held ?? [];
    this.#held = isHeld ? held : undefined;
    if (!isHeld) for (const line of held) this.#answer(line);
  }

  #answer(line: string): void {
    if (this.#held) {
      this.#held.push(line);
      return;
    }
    const [command, first = ''] = line.split(' ');
    const serial = this.#serial++;
    this.#keep(line);
    if (command === 'version' && first === '') this.#say(`OpenVPN Version: ${this.#program.version}`, 'END');
    else if (command === 'version') this.#acknowledge(Number(first));
    else if (command === 'pid') this.#say(`SUCCESS: pid=${this.process.pid}`);
    else if (command === 'hold')
      this.#say(first === '' ? `SUCCESS: hold=${this.process.hold ? 1 : 0}` : `SUCCESS: hold flag set to ${first.toUpperCase()}`);
    else if (command === 'newer') this.#say('SUCCESS: done');
    else if (command === 'status' && this.answers) this.#sayAll(this.answers(first));
    else if (command === 'status' && this.status) this.#sayAll(this.status);
    else if (command === 'status')
      this.#say(`TITLE\t${serial}`, ...Array.from({ length: serial % 7 }, (_, n) => `ROW\t${serial}\t${n}`), 'END');
    else if (line === 'signal SIGUSR1') this.#say('>HOLD:Waiting for hold release:0');
    else if (command === 'push-update-broad') this.#say('ERROR: no client updated', 'ERROR: push-update command failed');
    else if (command === 'signal') this.#say(`ERROR: signal '${first}' is not a known signal type`);
    else if (command === 'kill') this.#say(`SUCCESS: common name '${first}' found, 1 client(s) killed`);
    else if (command === 'auth-retry') this.#say(`${first} is none of these`, 'ERROR: bad auth-retry parameter');
    else if (command === 'test')
      this.#say(...Array.from({ length: Number(first) }, (_, n) => `[${n}] The purpose of this command`));
    else if (command === 'log' || command === 'state' || command === 'echo') this.#history(command, line.split(' ').slice(1));
    else if (command === 'bytecount') this.#say('SUCCESS: bytecount interval changed');
    else this.#say("ERROR: unknown command, enter 'help' for more options");
  } // prettier-ignore

  /** As `man_dispatch_command` in OpenVPN's manage.c. */
  #keep(line: string): void {
    const [command = '', ...parameters] = line.split(' ');
    const [first = ''] = parameters;
    if (command === 'log' || command === 'echo' || command === 'state') {
      for (const parameter of parameters.slice(0, 2))
        if (parameter === 'on' || parameter === 'off') this.kept = { ...this.kept, [command]: parameter === 'on' };
    } else if (command === 'bytecount') this.kept = { ...this.kept, bytecount: Number(first) };
    else if (command === 'hold' && (first === 'on' || first === 'off')) this.process.hold = first === 'on';
    else if (command === 'version' && first !== '') this.process.version = Number(first);
  } // prettier-ignore

  /** As `set_client_version` in OpenVPN's manage.c. */
  #acknowledge(version: number): void {
    if (this.#program.answersVersions && version > 3)
      this.#say(`SUCCESS: Management client version set to ${version}`);
  }

  #history(command: string, parameters: readonly string[]): void {
    for (const parameter of parameters.length === 0 ? ['1'] : parameters) {
      if (parameter === 'on' || parameter === 'off')
        this.#say(`SUCCESS: real-time ${command} notification set to ${parameter.toUpperCase()}`);
      else this.#say(`1,${command} history`, 'END');
    }
  }

  #say(...lines: readonly string[]): void {
    this.#sayAll(lines);
  }

  /** A list can be longer than the arguments that a call may have. */
  #sayAll(lines: readonly string[]): void {
    const texts = lines
      .flatMap((line) => [...this.#messages(), line])
      .map(
        (line) => `${line}
`,
      );
    this.#out = Buffer.concat([this.#out, Buffer.from(texts.join(''))]);
    this.#flush();
  }

  #flush(): void {
    while (this.#out.length > 0) {
      const size = Math.max(1, this.#piece());
      this.socket?.write(this.#out.subarray(0, size));
      this.#out = this.#out.subarray(size);
    }
  }
}
