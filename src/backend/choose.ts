import { BACKEND_NAMES, type BackendName } from '../model/backend-name.js';
import { BACKENDS } from './backends.js';

/** One backend that `auto` tried. */
export interface Candidate<T> {
  readonly name: BackendName;
  readonly result: T;
  /** See `BackendDefinition.drawback`. */
  readonly drawback: string | undefined;
}

/** The decision of `auto`. */
export interface Choice<T> {
  /** Undefined: no backend works on this host. */
  readonly chosen: Candidate<T> | undefined;
  /** Those that were tried, in this order. A backend after the chosen one may be missing. */
  readonly tried: readonly Candidate<T>[];
}

/**
 * Chooses a backend for `[kernel] backend = auto`: the first one in the order of BACKEND_NAMES that works without a
 * drawback; if there is none, the first one that works.
 * @param attempt finds out whether a backend works. It is called for one backend after another.
 * @param drawbackOf replaced by tests.
 */
export async function chooseBackend<T extends { readonly isUsable: boolean }>(
  attempt: (name: BackendName) => Promise<T>,
  drawbackOf: (name: BackendName) => string | undefined = (name) => BACKENDS[name].drawback(),
): Promise<Choice<T>> {
  const tried: Candidate<T>[] = [];
  for (const name of BACKEND_NAMES) {
    const candidate = { name, result: await attempt(name), drawback: drawbackOf(name) };
    tried.push(candidate);
    if (candidate.result.isUsable && candidate.drawback === undefined) return { chosen: candidate, tried };
  }
  return { chosen: tried.find(({ result }) => result.isUsable), tried };
}
