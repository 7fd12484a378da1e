import { createHash, timingSafeEqual } from 'node:crypto';
import { readPasswordFile } from '../../util/password-file.js';
import type { Dialogue, Answer } from '../common/answer.js';

/** Largest number of tries on one connection, as in OpenVPN (`MANAGEMENT_N_PASSWORD_RETRIES`). */
export const MAX_TRIES = 3;
const PROMPT = 'ENTER PASSWORD:';

/** Decides about the tries of one connection. */
export interface Admission {
  /** Returns after how many milliseconds the next try may be checked. Tries of one source are checked in turn. */
  nextDelayMs(): number;
  wasWrong(): void;
  /** @returns why the client is refused although the password is right; undefined if it is admitted. */
  wasRight(): string | undefined;
  /** Starts the dialogue with the client that is admitted. */
  begin(): Dialogue;
}

/**
 * Asks for a password as OpenVPN's management interface does. The actual dialogue starts after the right password.
 * @param file read at each try, so that a changed password takes effect at once.
 */
export function askPassword(file: string, admission: Admission): Dialogue {
  let isAdmitted = false;
  let dialogue: Dialogue | undefined;
  const begin = () => (dialogue ??= admission.begin());
  let tries = 0;
  let timer: NodeJS.Timeout | undefined;
  const check = (line: string, respond: (answer: Answer) => void) => {
    let isRight = false;
    try {
      isRight = isEqual(line, readPasswordFile(file));
    } catch {
      // if the password cannot be read, every try is wrong
    }
    if (!isRight) {
      admission.wasWrong();
      tries += 1;
      const isLast = tries >= MAX_TRIES;
      respond({
        lines: ['ERROR: bad password'],
        ...(isLast ? { closesConnection: true } : { prompt: PROMPT }),
      });
      return;
    }
    const refusal = admission.wasRight();
    if (refusal !== undefined) {
      respond({ lines: [`ERROR: ${refusal}`], closesConnection: true });
      return;
    }
    // set before respond: the lines after the password can be run before respond returns
    isAdmitted = true;
    respond({ lines: ['SUCCESS: password is correct'] });
    begin();
  };
  return {
    prompt: PROMPT,
    get isAdmitted() {
      return isAdmitted;
    },
    run: (line, respond) => {
      if (isAdmitted) return begin().run(line, respond);
      const delayMs = admission.nextDelayMs();
      if (delayMs === 0) check(line, respond);
      else
        timer = setTimeout(() => {
          check(line, respond);
        }, delayMs);
      return false;
    },
    leave: () => {
      clearTimeout(timer);
      dialogue?.leave();
    },
  };
}

/** Takes the same time whatever the texts are, so that nobody can guess the password from the time. */
function isEqual(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(left as Buffer, right as Buffer);
}
