import { dirname } from 'node:path';
import type { Plan } from '../steering/plan.js';
import type { QuotaAccounts } from '../steering/quota.js';
import { writeFileInBackground } from '../util/background-file.js';
import { makeDirectory } from '../util/directory.js';
import { Problems, type ProblemListener } from '../util/problems.js';
import { HOST_CLOCKS, SteadyClock, type Clocks } from '../util/steady-clock.js';
import { setAside } from './overrides-file.js';
import { formatQuotas, readQuotas } from './quota-file.js';
import { EMPTY_LEDGER, MAX_ACCOUNTS, QuotaLedger } from './quota-ledger.js';

const FILE_MODE = 0o600;
/** The shortest pause between two writes of the file, milliseconds. A crash loses at most what ended in that time. */
export const SAVE_PAUSE_MS = 5000;
/** The pause, as a multiple of the time that a write takes: a large file uses 1 % of a core. */
const PAUSE_FACTOR = 100;

/**
 * What clients with a quota have carried, in a file. The file also has the counters of the present subflows: after a
 * restart or a crash, what they carried meanwhile counts, and nothing counts twice. Only what a subflow carried between the
 * last write and its end can be lost.
 */
export class QuotaStore {
  readonly #clock: SteadyClock;
  readonly #ledger: QuotaLedger;
  readonly #problems: Problems;
  /** Whether the file may be written. */
  readonly #isWritable: boolean;
  #isChanged = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #writing = Promise.resolve();
  /** How long the last write took, milliseconds. */
  #lastWriteMs = 0;

  /**
   * Reads the file. If it is damaged, it is renamed to `FILE.damaged`, and counting begins again. If it cannot be read, it
   * stays as it is, and nothing is written.
   */
  constructor(
    private readonly file: string,
    listener: ProblemListener,
    clocks: Clocks = HOST_CLOCKS,
  ) {
    this.#clock = new SteadyClock(clocks);
    this.#problems = new Problems(listener);
    const found = readQuotas(file);
    this.#isWritable = 'ledger' in found || found.state === 'damaged';
    this.#ledger = new QuotaLedger('ledger' in found ? found.ledger : EMPTY_LEDGER, this.#clock.uptime());
    if ('ledger' in found) return;
    this.#problems.open('read', `${found.problem}: ${this.#handleBadFile(found.state)}`);
  }

  /** Makes room for a new file, if the old one is damaged. @returns what happens now, for an admin. */
  #handleBadFile(state: 'damaged' | 'unreadable'): string {
    const again = 'what clients carried against their quotas counts from now on';
    if (state === 'unreadable') return `${again}, and is not kept; make it readable and restart subflowd`;
    try {
      return `${again}; the file was renamed to ${setAside(this.file) ?? ''}`;
    } catch (error) {
      return `${again}; it cannot be renamed (${(error as Error).message})`;
    }
  }

  /** What clients have carried until now. It changes with each round. */
  accounts(): QuotaAccounts {
    return { now: this.#clock.now(), byClient: this.#ledger.accounts };
  }

  /** Counts a round. */
  addRound(plan: Pick<Plan, 'sessions'>): void {
    if (this.#ledger.addRound(plan, this.#clock.now(), this.#clock.uptime())) this.#isChanged = true;
    if (this.#ledger.isFull) {
      const text = `quotas are counted for ${MAX_ACCOUNTS} pairs of a client and a path, not for further clients; give fewer clients a quota`;
      this.#problems.open('full', text);
    } else this.#problems.resolve('full');
    this.#schedule();
  }

  /** Writes what is not written yet. After that, nothing is counted. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#writing;
    await this.#write();
  }

  #schedule(): void {
    if (!this.#isChanged || !this.#isWritable || this.#isClosed || this.#timer !== undefined) return;
    const pauseMs = Math.max(SAVE_PAUSE_MS, PAUSE_FACTOR * this.#lastWriteMs);
    this.#timer = setTimeout(() => {
      this.#writing = this.#write().finally(() => {
        this.#timer = undefined;
      });
    }, pauseMs);
    this.#timer.unref();
  }

  /** Never rejects: a failure is a problem, and the next write tries again. */
  async #write(): Promise<void> {
    if (!this.#isChanged || !this.#isWritable) return;
    this.#isChanged = false;
    const startedAt = performance.now();
    try {
      const text = formatQuotas(this.#ledger.save());
      this.#lastWriteMs = performance.now() - startedAt;
      makeDirectory(dirname(this.file));
      await writeFileInBackground(this.file, text, FILE_MODE);
      this.#problems.resolve('write');
    } catch (error) {
      this.#isChanged = true;
      const text = `what clients carried against their quotas is lost if subflowd stops: ${(error as Error).message}`;
      this.#problems.open('write', text);
    }
  }
}
