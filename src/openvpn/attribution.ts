/** A server as far as telling processes apart goes. */
export interface Claimant {
  readonly name: string;
  /** The process, once management has said it and while it lives. */
  readonly pid: number | undefined;
}

/** Whose a process is: one claimant's, nobody's, or one of several that cannot be told apart. */
export type Owner<T extends Claimant> =
  { readonly claimant: T } | { readonly among: readonly T[] } | { readonly foreign: true };

/**
 * Says which server a process is, where several share one events directory: the one whose management says
 * that PID; otherwise the only one whose PID is not known.
 */
export function ownerOf<T extends Claimant>(pid: number, claimants: Iterable<T>): Owner<T> {
  const open: T[] = [];
  for (const claimant of claimants) {
    if (claimant.pid === pid) return { claimant };
    if (claimant.pid === undefined) open.push(claimant);
  }
  const [only, ...others] = open;
  if (only === undefined) return { foreign: true };
  return others.length === 0 ? { claimant: only } : { among: open };
}
