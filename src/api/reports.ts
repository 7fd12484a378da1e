/** Something that a server, its hooks or its management told of. */
export interface Report {
  /** One sentence. */
  readonly text: string;
  /** Unix time, milliseconds, at which it began or happened. */
  readonly since: number;
}

/** How long something that happened once is shown, milliseconds. */
export const EVENT_MS = 15 * 60_000;
/** Of more, the oldest are no longer shown, those that happened once before those that last. */
export const MOST = 20;

/** What `status` shows of problems: one that lasts for as long as it does, what happened once for a while. */
export class Reports {
  readonly #shown = new Map<string, Report & { readonly isEvent: boolean }>();

  /**
   * @param key of a problem that lasts until it is resolved; without, it happened once, and again counts from now.
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
   * Takes what happened just now.
   * @param kind of what happens often: only the last of a kind is shown.
   */
  addEvent(text: string, kind: string, now: number): void {
    this.#show(`event ${kind}`, { text, since: now, isEvent: true });
  }

  #show(id: string, report: Report & { readonly isEvent: boolean }): void {
    this.#shown.delete(id);
    this.#shown.set(id, report);
    if (this.#shown.size <= MOST) return;
    const ids = [...this.#shown.keys()];
    const oldest = ids.find((each) => this.#shown.get(each)?.isEvent) ?? ids[0];
    if (oldest !== undefined) this.#shown.delete(oldest);
  }

  /** Returns what was shown under this key, and no longer is. */
  resolve(key: string): Report | undefined {
    const known = this.#shown.get(`problem ${key}`);
    this.#shown.delete(`problem ${key}`);
    return known;
  }

  resolveMatching(isOver: (key: string) => boolean): void {
    for (const id of [...this.#shown.keys()]) {
      const [, key] = /^problem (.*)$/s.exec(id) ?? [];
      if (key !== undefined && isOver(key)) this.#shown.delete(id);
    }
  }

  /** Oldest first. @param now Unix time, milliseconds. */
  all(now: number): readonly Report[] {
    for (const [id, { isEvent, since }] of this.#shown) {
      if (isEvent && now - since >= EVENT_MS) this.#shown.delete(id);
    }
    return [...this.#shown.values()].map(({ text, since }) => ({ text, since }));
  }
}
