import { createHash, timingSafeEqual } from 'node:crypto';
import { readPasswordFile } from '../../util/password-file.js';
import type { Dialogue, Answer } from '../common/answer.js';

/** As OpenVPN's `MANAGEMENT_N_PASSWORD_RETRIES`. */
export const MAX_TRIES = 3;
const PROMPT = 'ENTER PASSWORD:';

/** What there is to do with a try. */
export interface Admission {
  /** In how many milliseconds it may be looked at: it takes its turn among those of its source. */
  takeTurn(): number;
  wasWrong(): void;
  /** @returns why it is not let in all the same. */
  wasRight(): string | undefined;
  begin(): Dialogue;
}

/**
 * Asks for a password as OpenVPN's management interface does, and only then begins the dialogue behind it.
 * @param file is read at each try, so that a new password is in force at once.
 */
export function askPassword(file: string, admission: Admission): Dialogue {
  let isAdmitted = false;
  let behind: Dialogue | undefined;
  const enter = () => (behind ??= admission.begin());
  let tries = 0;
  let turn: NodeJS.Timeout | undefined;
  const judge = (line: string, respond: (answer: Answer) => void) => {
    let isRight = false;
    try {
      isRight = equal(line, readPasswordFile(file));
    } catch {
      // nobody gets in by a password that is not there
    }
    if (!isRight) {
      admission.wasWrong();
      tries += 1;
      const isLast = tries >= MAX_TRIES;
      respond({ lines: ['ERROR: bad password'], ...(isLast ? { hangUp: true } : { prompt: PROMPT }) });
      return;
    }
    const refusal = admission.wasRight();
    if (refusal !== undefined) {
      respond({ lines: [`ERROR: ${refusal}`], hangUp: true });
      return;
    }
    isAdmitted = true;
    // what was sent behind the password can be run before this returns
    respond({ lines: ['SUCCESS: password is correct'] });
    enter();
  };
  return {
    prompt: PROMPT,
    get isAdmitted() {
      return isAdmitted;
    },
    run: (line, respond) => {
      if (isAdmitted) return enter().run(line, respond);
      const wait = admission.takeTurn();
      if (wait === 0) judge(line, respond);
      else
        turn = setTimeout(() => {
          judge(line, respond);
        }, wait);
      return false;
    },
    leave: () => {
      clearTimeout(turn);
      behind?.leave();
    },
  };
}

/** In a time that tells nothing of where they differ, nor of their lengths. */
function equal(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(left as Buffer, right as Buffer);
}
