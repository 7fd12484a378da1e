import { createHash, timingSafeEqual } from 'node:crypto';
import { readPasswordFile } from '../password-file.js';
import type { Dialogue } from './client.js';

/** As OpenVPN's `MANAGEMENT_N_PASSWORD_RETRIES`. */
const MAX_TRIES = 3;
const PROMPT = 'ENTER PASSWORD:';

/**
 * Asks for a password as OpenVPN's management interface does, and only then begins the dialogue behind it.
 * @param file is read at each try, so that a new password is in force at once.
 */
export function askPassword(file: string, begin: () => Dialogue): Dialogue {
  let behind: Dialogue | undefined;
  let tries = 0;
  return {
    prompt: PROMPT,
    get isAdmitted() {
      return behind !== undefined;
    },
    run: (line, respond) => {
      if (behind) return behind.run(line, respond);
      let isRight = false;
      try {
        isRight = equal(line, readPasswordFile(file));
      } catch {
        // nobody gets in by a password that is not there
      }
      if (isRight) {
        respond({ lines: ['SUCCESS: password is correct'] });
        behind = begin();
      } else {
        tries += 1;
        const isLast = tries >= MAX_TRIES;
        respond({ lines: ['ERROR: bad password'], ...(isLast ? { hangUp: true } : { prompt: PROMPT }) });
      }
      return false;
    },
    leave: () => behind?.leave(),
  };
}

/** In a time that tells nothing of where they differ, nor of their lengths. */
function equal(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(left as Buffer, right as Buffer);
}
