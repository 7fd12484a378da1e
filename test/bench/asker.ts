import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const COMMAND = 'status 3\n';
const END = Buffer.from('\r\nEND\r\n');
/** Milliseconds until each answer must have arrived. */
const PATIENCE_MS = 10_000;

/** A client of a management interface that sends `status 3` again and again. */
export class Asker {
  #rest: Buffer = Buffer.alloc(0);
  #heard: () => void = () => undefined;
  #failed: (reason: string) => void = () => undefined;

  private constructor(private readonly socket: Socket) {
    socket
      .on('data', (chunk: Buffer) => {
        this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
        this.#heard();
      })
      .on('error', () => undefined)
      .on('close', () => {
        this.#failed('the connection was closed');
      });
  }

  /**
   * Resolves after the greeting of OpenVPN, or of a console that is connected to OpenVPN.
   * @throws {Error} if no process listens there, or if it does not greet.
   */
  static async join(where: string, password?: string): Promise<Asker> {
    const socket = connect(where);
    await once(socket, 'connect');
    const asker = new Asker(socket);
    if (password !== undefined) {
      await asker.#until(() => asker.#take('ENTER PASSWORD:') > 0);
      socket.write(`${password.trim()}\n`);
    }
    await asker.#until(() => asker.#take('>INFO:OpenVPN Management Interface') > 0);
    await asker.#until(() => asker.#take('\r\n') > 0);
    return asker;
  }

  /**
   * Sends commands until `end` (`performance.now()`), so that always `ahead` commands are under way. Waits for all answers.
   * @returns the number of answers.
   * @throws {Error} with the last received text, if an answer is missing.
   */
  async ask(end: number, ahead: number): Promise<number> {
    let count = 0;
    let underWay = ahead;
    this.socket.write(COMMAND.repeat(ahead));
    await this.#until(() => {
      const answers = this.#take(END);
      count += answers;
      if (answers > 0 && performance.now() < end) this.socket.write(COMMAND.repeat(answers));
      else underWay -= answers;
      return underWay === 0;
    });
    return count;
  }

  close(): void {
    this.socket.destroy();
  }

  /** @returns how often the text arrived. Keeps what follows its last occurrence. */
  #take(text: string | Buffer): number {
    let times = 0;
    let from = 0;
    for (let at = this.#rest.indexOf(text); at !== -1; at = this.#rest.indexOf(text, from)) {
      times++;
      from = at + text.length;
    }
    this.#rest = this.#rest.subarray(from);
    return times;
  }

  async #until(isHeard: () => boolean): Promise<void> {
    if (isHeard()) return;
    await new Promise<void>((resolve, reject) => {
      this.#failed = (reason) => {
        clearTimeout(timer);
        const last = JSON.stringify(this.#rest.subarray(-300).toString('latin1'));
        reject(new Error(`${reason}; the last received text: ${last}`));
      };
      const timer = setTimeout(() => {
        this.#failed(`nothing arrived for ${PATIENCE_MS / 1000} s`);
      }, PATIENCE_MS);
      this.#heard = () => {
        timer.refresh();
        if (!isHeard()) return;
        clearTimeout(timer);
        this.#heard = this.#failed = () => undefined;
        resolve();
      };
    });
  }
}
