import type { SubflowPlan } from '../api/status.js';
import { note, type Check } from '../model/check.js';

const ENDPOINT = 'ip mptcp endpoint add ADDRESS dev DEVICE id ID subflow';

/**
 * Notes subflows of one client that may be on different networks, and are on one path. A NAT can hide the networks behind one
 * address, or a prefix can be too large.
 * @param what the name of the checks.
 * @param subflows those of the client.
 */
export function checkSharedPaths(what: string, subflows: readonly SubflowPlan[]): Check[] {
  const outside = subflows.filter(({ throughTunnel }) => !throughTunnel);
  const byAddress = groupsOf(outside, ({ path, subflow }) => `${path ?? ''} ${subflow.remote.address}`);
  const shared = byAddress.filter(mayBeSeveralNetworks);
  if (shared.length > 0) return shared.map((group) => oneAddress(what, group));
  const [path] = groupsOf(outside, ({ path }) => path ?? '');
  const isOnePath = path?.length === outside.length && path[0]?.path !== undefined;
  return isOnePath && byAddress.length > 1 && mayBeSeveralNetworks(path) ? [onePath(what, path)] : [];
}

/**
 * Whether subflows come from several addresses of the client. Several subflows from one address go to several addresses of the
 * server.
 */
function mayBeSeveralNetworks(group: readonly SubflowPlan[]): boolean {
  const ids = new Set(group.map(({ subflow }) => subflow.id));
  if (!ids.has(undefined)) return ids.size > 1;
  return new Set(group.map(({ subflow }) => subflow.local.address)).size < group.length;
}

function oneAddress(what: string, group: readonly SubflowPlan[]): Check {
  const [first] = group;
  const place = first?.path === undefined ? 'on no path' : `on path ${first.path}`;
  const found =
    `${group.length} of its subflows come from the address ${first?.subflow.remote.address ?? ''}${idsText(group)} and are ` +
    `${place}: a NAT hides which networks they use`;
  return note(
    what,
    found,
    `if they are different networks, tell them apart by ID: at the client ${ENDPOINT}, and address-id = ID in the ` +
      '[path NAME]; the subflow that it connected with has the ID 0',
  );
}

function onePath(what: string, group: readonly SubflowPlan[]): Check {
  const found = `all its ${group.length} subflows are on path ${group[0]?.path ?? ''}${idsText(group)}`;
  return note(
    what,
    found,
    'if they are different networks, give each its own [path NAME] with smaller prefixes, or with address-id',
  );
}

/** ` (address IDs 0, 1)`; empty if the backend does not know them. */
function idsText(group: readonly SubflowPlan[]): string {
  const ids = new Set(group.flatMap(({ subflow }) => subflow.id ?? []));
  return ids.size === 0 ? '' : ` (address IDs ${[...ids].sort((a, b) => a - b).join(', ')})`;
}

function groupsOf(
  subflows: readonly SubflowPlan[],
  keyOf: (subflow: SubflowPlan) => string,
): (readonly SubflowPlan[])[] {
  const groups = new Map<string, SubflowPlan[]>();
  for (const subflow of subflows) {
    const key = keyOf(subflow);
    const group = groups.get(key);
    if (group) group.push(subflow);
    else groups.set(key, [subflow]);
  }
  return [...groups.values()];
}
