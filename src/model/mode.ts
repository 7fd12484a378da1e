/** A key of a `[client GLOB]` or `[default]` section that says which paths a client uses, and how. */
export type RuleKey = 'primary' | 'allowed' | 'min-rate' | 'cost' | 'both';

/** How a mode reads the keys of its rule. */
export type ModeKeys = PreferredPaths | AllowedPaths;

interface OtherKeys {
  /** The other keys that the mode uses. A rule may have the rest too: they take effect when its mode changes. */
  readonly others: readonly Exclude<RuleKey, 'primary' | 'allowed'>[];
}

/** The mode wants the paths of `primary`, in this order of preference; the key must be written. */
interface PreferredPaths extends OtherKeys {
  readonly paths: 'primary';
  /** The fewest paths that it must name, 0 or more. */
  readonly fewestPaths: number;
  /** What to write, for an admin who wrote no `primary` or named too few paths. */
  readonly remedy: string;
}

/** The mode wants the paths of `allowed`, in any order. */
interface AllowedPaths extends OtherKeys {
  readonly paths: 'allowed';
}

/**
 * How a client's subflows are used. A mode has the name of 3GPP TS 23.501 clause 5.32.8 where it means the same.
 * steering/modes/ has one file for each mode, which says what it does.
 */
export const MODE_KEYS = {
  /** The first path of `primary` that the client has is primary. */
  'active-standby': {
    paths: 'primary',
    fewestPaths: 0,
    remedy:
      'list the paths in the order of preference; `primary =` without a value leaves such clients as they are',
    others: [],
  },
  /** The path with the lowest round-trip time is primary. */
  'smallest-delay': { paths: 'allowed', others: ['cost'] },
  /** The first path of `primary` is active; the next one joins while that is congested. */
  'priority-based': {
    paths: 'primary',
    fewestPaths: 2,
    remedy: 'priority-based needs at least two paths, in the order in which they join',
    others: ['cost'],
  },
  /** All paths are active, and the kernel's scheduler distributes the packets. */
  'load-balancing': { paths: 'allowed', others: [] },
  /** This project's own: each client is placed among all others, by the load of the paths. */
  balance: { paths: 'allowed', others: ['min-rate', 'cost', 'both'] },
} as const satisfies Readonly<Record<string, ModeKeys>>;

/** A value of `mode` in a `[client GLOB]` or `[default]` section. */
export type Mode = keyof typeof MODE_KEYS;

/** All modes, in the order in which messages list them. */
export const MODES = Object.keys(MODE_KEYS) as readonly Mode[];

/** The mode of a rule that does not name one, and of an override. */
export const DEFAULT_MODE = 'active-standby' satisfies Mode;
