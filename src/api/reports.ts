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

/** The problems and events that `status` shows. A problem is shown until it is resolved, an event for some time. */
export class Reports {
  readonly #shown = new Map<string, Report & { readonly isEvent: boolean }>();

  /**
   * Adds a problem or an event.
   * @param key of a problem, which lasts until it is resolved. Without a key it is an event; a repeated event gets a new time.
   * @param now Unix time, milliseconds.
   */
  add(text: string, key: string | undefined, now: number): void {
    if (key === undefined) this.addEvent(text, text, now);
    else {
      const id = `problem ${key}`;
      this.#show(id, { text, since: this.#shown.get(id)?.since ?? now, isEvent: false });
    }
  }

  /**
   * Adds an event. Only the last event of a kind is shown.
   * @param now Unix time, milliseconds.
   */
  addEvent(text: string, kind: string, now: number): void {
    this.#show(`event ${kind}`, { text, since: now, isEvent: true });
  }

  #show(id: string, report: Report & { readonly isEvent: boolean }): void {
    this.#shown.delete(id);
    this.#shown.set(id, report);
    if (this.#shown.size <= MAX_REPORTS) return;
    const ids = [...this.#shown.keys()];
    const oldest = ids.find((each) => this.#shown.get(each)?.isEvent) ?? ids[0];
    if (oldest !== undefined) this.#shown.delete(oldest);
  }

  /** Removes the problem with this key. @returns it, if it was shown. */
  resolve(key: string): Report | undefined {
    const known = this.#shown.get(`problem ${key}`);
    this.#shown.delete(`problem ${key}`);
    return known;
  }

  /** Removes the problems with these keys. */
  resolveMatching(isOver: (key: string) => boolean): void {
    for (const id of [...this.#shown.keys()]) {
      const [, key] = /^problem (.*)$/s.exec(id) ?? [];
      if (key !== undefined && isOver(key)) this.#shown.delete(id);
    }
  }

  /** All reports that are shown now, the oldest first. @param now Unix time, milliseconds. */
  all(now: number): readonly Report[] {
    for (const [id, { isEvent, since }] of this.#shown) {
      if (isEvent && now - since >= EVENT_MS) this.#shown.delete(id);
    }
    return [...this.#shown.values()].map(({ text, since }) => ({ text, since }));
  }
}
