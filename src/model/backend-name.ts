/**
 * The backends, in the order in which `[kernel] backend = auto` tries them. The table of `backend/backends.ts` defines each:
 * a name without a definition does not compile.
 */
export const BACKEND_NAMES = ['netlink', 'devmem'] as const;

/** A value of `[kernel] backend`, except `auto`. */
export type BackendName = (typeof BACKEND_NAMES)[number];
