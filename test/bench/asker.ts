import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const COMMAND = 'status 3\n';
const END = Buffer.from('\r\nEND\r\n');
/** An answer that takes longer never comes. */
const PATIENCE_MS = 10_000;

/** A client of a management interface that asks `status 3` again and again. */
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
        this.#failed('the line was closed');
      });
  }

  /**
   * Resolves when OpenVPN has greeted, which a console does once it is connected itself.
   * @throws {Error} if nobody listens, or is silent.
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
   * Asks until `end`, `performance.now()`, so that `ahead` commands are under way at any time, and hears all answers.
   * @returns how many came.
   * @throws {Error} with what came last, if one does not come.
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

  /** How often that came; what is behind the last is kept. */
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
        reject(new Error(`${reason}; what came last: ${last}`));
      };
      const timer = setTimeout(() => {
        this.#failed(`nothing came for ${PATIENCE_MS / 1000} s`);
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
