import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Layout } from '../../src/kernel/layout/layout.js';
import { parseLayout } from '../../src/kernel/layout/layout-file.js';
import { checkout } from '../lab/checkout.js';

/** A layout that `subflowd layout` made of a real kernel's vmlinux, in layouts/. */
function real(name: string): Layout {
  const file = path.join(checkout, 'test/support/layouts', `${name}.json`);
  return parseLayout(readFileSync(file, 'utf8'), file).layout;
}

export const LINUX_6_1 = real('linux-6.1');
export const LINUX_6_12 = real('linux-6.12');
export const LINUX_4_14_MPTCP = real('linux-4.14-mptcp');

/** Every layout of each family, by the kernel it is of. */
export const UPSTREAM: Readonly<Record<string, Layout>> = {
  'Linux 6.1': LINUX_6_1,
  'Linux 6.12': LINUX_6_12,
};
export const MULTIPATH_TCP_ORG: Readonly<Record<string, Layout>> = {
  'Linux 3.18 with MPTCP v0.90': real('linux-3.18-mptcp'),
  'Linux 4.4 with MPTCP v0.92': real('linux-4.4-mptcp'),
  'Linux 4.14 with MPTCP v0.94': LINUX_4_14_MPTCP,
  // from here on another kind of list
  'Linux 5.4 with MPTCP v0.96': real('linux-5.4-mptcp'),
};
export const ALL_LAYOUTS: readonly (readonly [string, Layout])[] = Object.entries({
  ...UPSTREAM,
  ...MULTIPATH_TCP_ORG,
});

/** Every layout with the ways of writing that are safe on it. */
export const WAYS = ALL_LAYOUTS.flatMap(([kernel, layout]) =>
  (['mapped', 'bytes'] as const)
    // there our wish shares its byte with map_valid
    .filter((access) => access === 'mapped' || layout !== LINUX_6_12)
    .map((access) => ({ kernel, layout, access })),
);
