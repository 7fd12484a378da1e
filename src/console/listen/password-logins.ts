import type { Socket } from 'node:net';
import { startDialogue, type DialogueOptions } from '../commands/dialogue.js';
import { ClientConnection, type ClientLimits } from './client-connection.js';
import { SLOT_LIMITS } from './client-slots.js';
import { askPassword } from './password.js';
import { PasswordTries } from './password-tries.js';
import { PendingLogins, type PendingLogin } from './pending-logins.js';
import type { Rejector } from './rejector.js';
import type { UnreadAnswers } from './unread.js';
import { WrongPasswords } from './wrong-passwords.js';

/** Serves clients on TCP that must first give a password. */
export class PasswordLogins {
  readonly #pending = new PendingLogins();
  readonly #tries = new PasswordTries();
  readonly #wrongPasswords: WrongPasswords;
  #loggedIn = 0;

  constructor(
    private readonly dialogue: DialogueOptions,
    private readonly limits: ClientLimits,
    private readonly unread: UnreadAnswers,
    private readonly rejector: Rejector,
  ) {
    this.#wrongPasswords = new WrongPasswords((text) => {
      dialogue.onWrongPassword?.(text);
    });
  }

  /** Reports wrong passwords that are not reported yet. */
  close(): void {
    this.#wrongPasswords.close();
  }

  /** @param source of the connection, see `Source.name`. */
  serve(socket: Socket, source: string, passwordFile: string): void {
    const refusal = this.#pending.refusal(source);
    if (refusal !== undefined) {
      this.rejector.reject(socket, refusal);
      return;
    }
    const login: PendingLogin = {
      source,
      // without waiting for the client to close its end, because many connections can follow
      disconnect: (reason) => {
        socket.end(`\r\nERROR: ${reason}\r\n`, () => socket.destroy());
      },
    };
    this.#pending.add(login);
    socket.on('close', () => {
      this.#pending.remove(login);
    });
    new ClientConnection(socket, this.limits, this.unread, (send, hangUp) =>
      askPassword(passwordFile, {
        nextDelayMs: () => this.#tries.nextDelayMs(source),
        wasWrong: () => {
          this.#tries.wasWrong(source);
          this.#wrongPasswords.add(source);
        },
        wasRight: () => {
          this.#tries.wasRight(source);
          this.#pending.remove(login);
          return this.#admit(socket);
        },
        begin: () => startDialogue(this.dialogue, send, hangUp, source),
      }),
    );
  }

  /** @returns why a client that has given the password is refused; undefined if it is admitted. */
  #admit(socket: Socket): string | undefined {
    const { all } = SLOT_LIMITS;
    if (this.#loggedIn >= all) return `${all} clients are connected already`;
    if (socket.destroyed) return undefined;
    this.#loggedIn += 1;
    socket.on('close', () => (this.#loggedIn -= 1));
    return undefined;
  }
}
