/** A problem or an event of a server, its hooks or its management interface. */
export interface Report {
  /** One sentence. */
  readonly text: string;
  /** Unix time at which it began or happened, milliseconds. */
  readonly since: number;
}

/** How long an event is shown, milliseconds. */
export const EVENT_MS = 15 * 60_000;
/** Largest number of reports. If there are more, the oldest event is dropped; without events, the oldest problem. */
export const MAX_REPORTS = 20;

/** A report that is shown. */
interface ShownReport extends Report {
  /** The key of a problem; undefined for an event. */
  readonly key: string | undefined;
}

/** The problems and events that `status` shows. A problem is shown until it is resolved, an event for some time. */
export class Reports {
  /** By the key of the problem or the kind of the event, in the order in which they were last reported. */
  readonly #shown = new Map<string, ShownReport>();

  /**
   * Adds a problem or an event.
   * @param key the key of a problem, which lasts until it is resolved; undefined for an event. A repeated event gets a new
   * time.
   * @param now Unix time, milliseconds.
   */
  add(text: string, key: string | undefined, now: number): void {
    if (key === undefined) this.addEvent(text, text, now);
    else this.#show(problemId(key), { text, since: this.#shown.get(problemId(key))?.since ?? now, key });
  }

  /**
   * Adds an event. Only the last event of a kind is shown.
   * @param now Unix time, milliseconds.
   */
  addEvent(text: string, kind: string, now: number): void {
    this.#show(`event ${kind}`, { text, since: now, key: undefined });
  }

  /** Removes the problem with this key. @returns it, if it was shown. */
  resolve(key: string): Report | undefined {
    const shown = this.#shown.get(problemId(key));
    this.#shown.delete(problemId(key));
    return shown;
  }

  /** Removes the problems with these keys. */
  resolveMatching(isOver: (key: string) => boolean): void {
    for (const [id, { key }] of this.#shown) {
      if (key !== undefined && isOver(key)) this.#shown.delete(id);
    }
  }

  /** All reports that are shown now, the oldest first. @param now Unix time, milliseconds. */
  all(now: number): readonly Report[] {
    for (const [id, { key, since }] of this.#shown) {
      if (key === undefined && now - since >= EVENT_MS) this.#shown.delete(id);
    }
    return [...this.#shown.values()].map(({ text, since }) => ({ text, since }));
  }

  #show(id: string, report: ShownReport): void {
    this.#shown.delete(id);
    this.#shown.set(id, report);
    if (this.#shown.size <= MAX_REPORTS) return;
    const entries = [...this.#shown];
    const [oldest] = entries.find(([, { key }]) => key === undefined) ?? entries[0] ?? [];
    if (oldest !== undefined) this.#shown.delete(oldest);
  }
}

function problemId(key: string): string {
  return `problem ${key}`;
}
