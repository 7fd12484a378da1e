/** One thing that must be true on a host, and whether it is. `subflowd doctor` prints these. */
export interface Check {
  readonly name: string;
  /** `note`: it works, but could work better; `unknown`: it cannot be checked before something else is fixed. */
  readonly verdict: 'ok' | 'note' | 'bad' | 'unknown';
  /** What was found, with the name of the file, process or client that it is about. */
  readonly found: string;
  /** How to fix it: a command or a change. */
  readonly remedy?: string;
}

/** A check that found what it needs. */
export function ok(name: string, found: string): Check {
  return { name, verdict: 'ok', found };
}

/** A check that found something that works, but could work better. */
export function note(name: string, found: string, remedy?: string): Check {
  return { name, verdict: 'note', found, ...(remedy !== undefined && { remedy }) };
}

/** A check that found something that must be fixed. */
export function bad(name: string, found: string, remedy: string): Check {
  return { name, verdict: 'bad', found, remedy };
}

/** A check that cannot be made before something else is fixed. */
export function unknown(name: string, found: string): Check {
  return { name, verdict: 'unknown', found };
}
