import type { Switch } from '../control/controller.js';
import { formatEndpoint } from '../model/endpoint.js';
import type { Plan, SubflowPlan } from '../steering/plan.js';
import { overrideKey } from '../steering/rule.js';
import { printable } from '../util/printable.js';
import type { Tell } from './seat.js';

interface Seen {
  readonly key: string;
  readonly text: string;
}

/**
 * Those who said `mptcp watch`. They are told, in the manner of `>STATE:`, Unix time in seconds first and the client
 * last, as a name can hold commas:
 * - `>MPTCP:TIME,SWITCH,FROM,TO,SERVER/COMMON NAME`; FROM is empty where no one path was primary.
 * - `>MPTCP:TIME,SUBFLOW,ADDED|REMOVED|CHANGED,PATH,CLIENT'S END,OUR WISH,CLIENT'S WISH,SERVER/COMMON NAME`; PATH is
 *   `(elsewhere)` on none of the config's, and `(tunnel)` through the tunnel itself.
 */
export class Watchers {
  readonly #all = new Set<Tell>();
  #last: Pick<Plan, 'sessions'> = { sessions: [] };

  /** @returns what ends it. */
  add(tell: Tell): () => void {
    this.#all.add(tell);
    return () => this.#all.delete(tell);
  }

  switched({ session, from, to, committedAt }: Switch): void {
    this.#tell(committedAt, `SWITCH,${from ?? ''},${to},${overrideKey(session)}`);
  }

  /** Takes note of each round, so that a watcher is told of what changes from then on. */
  observed(plan: Plan): void {
    if (this.#all.size > 0) this.#tellChanges(subflowsOf(this.#last), subflowsOf(plan));
    this.#last = plan;
  }

  #tellChanges(before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>): void {
    const at = Date.now();
    for (const [id, { key, text }] of now) {
      const earlier = before.get(id);
      if (earlier === undefined) this.#tell(at, `SUBFLOW,ADDED,${text},${key}`);
      else if (earlier.text !== text) this.#tell(at, `SUBFLOW,CHANGED,${text},${key}`);
    }
    for (const [id, { key, text }] of before) {
      if (!now.has(id)) this.#tell(at, `SUBFLOW,REMOVED,${text},${key}`);
    }
  }

  #tell(at: number, text: string): void {
    const lines = [printable(`>MPTCP:${Math.floor(at / 1000)},${text}`)];
    for (const tell of this.#all) tell(lines);
  }
}

function subflowsOf({ sessions }: Pick<Plan, 'sessions'>): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const { session, subflows } of sessions) {
    for (const subflow of subflows) {
      const { local, remote } = subflow.subflow;
      const id = `${session.pid} ${formatEndpoint(session.real)} ${formatEndpoint(local)} ${formatEndpoint(remote)}`;
      seen.set(id, { key: overrideKey(session), text: textOf(subflow) });
    }
  }
  return seen;
}

function textOf({ subflow, path, throughTunnel }: SubflowPlan): string {
  const where = throughTunnel ? '(tunnel)' : (path ?? '(elsewhere)');
  return `${where},${formatEndpoint(subflow.remote)},${subflow.ours},${subflow.peers}`;
}
