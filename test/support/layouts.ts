import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Layout } from '../../src/kernel/layout/layout.js';
import { parseLayout } from '../../src/kernel/layout/layout-file.js';
import { checkout } from '../lab/checkout.js';

/** Reads a layout in layouts/, which `subflowd layout` made from the vmlinux of a real kernel. */
function readReal(name: string): Layout {
  const file = path.join(checkout, 'test/support/layouts', `${name}.json`);
  return parseLayout(readFileSync(file, 'utf8'), file).layout;
}

export const LINUX_6_1 = readReal('linux-6.1');
export const LINUX_6_12 = readReal('linux-6.12');
export const LINUX_4_14_MPTCP = readReal('linux-4.14-mptcp');

/** The layouts of upstream's MPTCP, by kernel. */
export const UPSTREAM: Readonly<Record<string, Layout>> = {
  'Linux 6.1': LINUX_6_1,
  'Linux 6.12': LINUX_6_12,
};
/** The layouts of multipath-tcp.org's MPTCP, by kernel. */
export const MULTIPATH_TCP_ORG: Readonly<Record<string, Layout>> = {
  'Linux 3.18 with MPTCP v0.90': readReal('linux-3.18-mptcp'),
  'Linux 4.4 with MPTCP v0.92': readReal('linux-4.4-mptcp'),
  'Linux 4.14 with MPTCP v0.94': LINUX_4_14_MPTCP,
  // this version has another kind of list of subflows
  'Linux 5.4 with MPTCP v0.96': readReal('linux-5.4-mptcp'),
};
/** [kernel, layout] of all of them. */
export const ALL_LAYOUTS: readonly (readonly [string, Layout])[] = Object.entries({
  ...UPSTREAM,
  ...MULTIPATH_TCP_ORG,
});

/** Every layout with each kind of access that can write its priorities safely. */
export const SAFE_ACCESSES = ALL_LAYOUTS.flatMap(([kernel, layout]) =>
  (['mapped', 'bytes'] as const)
    // in Linux 6.12 our priority shares its byte with map_valid
    .filter((access) => access === 'mapped' || layout !== LINUX_6_12)
    .map((access) => ({ kernel, layout, access })),
);
