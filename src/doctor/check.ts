/** One thing that must be true on this host. */
export interface Check {
  readonly name: string;
  /** `note`: works, and could be better; `unknown`: cannot be told before something else is mended. */
  readonly verdict: 'ok' | 'note' | 'bad' | 'unknown';
  /** What was found, naming the thing. */
  readonly found: string;
  /** The command or the change that mends it. */
  readonly remedy?: string;
}

export function ok(name: string, found: string): Check {
  return { name, verdict: 'ok', found };
}

export function note(name: string, found: string, remedy?: string): Check {
  return { name, verdict: 'note', found, ...(remedy !== undefined && { remedy }) };
}

export function bad(name: string, found: string, remedy: string): Check {
  return { name, verdict: 'bad', found, remedy };
}

export function unknown(name: string, found: string): Check {
  return { name, verdict: 'unknown', found };
}
