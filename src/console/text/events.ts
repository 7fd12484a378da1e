import type { DaemonApi } from '../../api/daemon-api.js';
import type { DaemonEvent, EventOf } from '../../api/events.js';
import { formatEndpoint } from '../../model/endpoint.js';
import { qualifiedName } from '../../model/session.js';
import { printable, printableJson } from '../../util/printable.js';
import type { Send } from '../common/answer.js';

/** The form of the lines: fields between commas, or JSON. */
export type EventForm = 'text' | 'json';

/** All clients that watch in the same form get the same array for an event, so they share one encoded text. */
const linesByEvent = {
  text: new WeakMap<DaemonEvent, readonly string[]>(),
  json: new WeakMap<DaemonEvent, readonly string[]>(),
} as const satisfies Readonly<Record<EventForm, WeakMap<DaemonEvent, readonly string[]>>>;

/**
 * Sends a console client one line for each switch, changed subflow and rejoin (`mptcp watch`). The lines have the form of
 * OpenVPN's `>STATE:`. Unix time in seconds comes first. The client's name comes last, because it can contain commas.
 * - `>MPTCP:TIME,SWITCH,FROM,TO,SERVER/COMMON NAME`; FROM is empty if no single path was primary.
 * - `>MPTCP:TIME,SUBFLOW,ADDED|REMOVED|CHANGED,PATH,CLIENT'S END,OUR PRIORITY,CLIENT'S PRIORITY,SERVER/COMMON NAME`; PATH
 *   is `(elsewhere)` on no path of the config, and `(tunnel)` through the tunnel itself.
 * - `>MPTCP:TIME,REJOIN,PATHS,SERVER/COMMON NAME`: it was disconnected, so that it comes back with these paths. Blanks
 *   separate them.
 * In the form `json`, it is `>MPTCP:{"time":MILLISECONDS, ...}` with the members of the event.
 * @returns the function that stops this.
 */
export function sendEvents(
  { events }: Pick<DaemonApi, 'events'>,
  send: Send,
  form: EventForm = 'text',
): () => void {
  return events.subscribe((event) => {
    const lines = linesOf(event, form);
    if (lines.length > 0) send(lines);
  });
}

function linesOf(event: DaemonEvent, form: EventForm): readonly string[] {
  const known = linesByEvent[form].get(event);
  if (known !== undefined) return known;
  const text = textOf(event);
  const time = event.kind === 'switch' ? event.committedAt : Date.now();
  const fields = `${Math.floor(time / 1000)},${text}`;
  const line = form === 'json' ? printableJson({ time, ...event }) : printable(fields);
  const lines = text === undefined ? [] : [`>MPTCP:${line}`];
  linesByEvent[form].set(event, lines);
  return lines;
}

/** The fields after the time; undefined for an event that `mptcp watch` does not show. */
function textOf(event: DaemonEvent): string | undefined {
  if (event.kind === 'switch') return switchText(event);
  if (event.kind === 'subflow') return subflowText(event);
  if (event.kind === 'rejoin') return `REJOIN,${event.paths.join(' ')},${qualifiedName(event)}`;
  return undefined;
}

function switchText(event: EventOf<'switch'>): string {
  return `SWITCH,${event.from ?? ''},${event.to},${qualifiedName(event)}`;
}

function subflowText(event: EventOf<'subflow'>): string {
  const { change, path, throughTunnel, remote, ours, peers } = event;
  const where = throughTunnel ? '(tunnel)' : (path ?? '(elsewhere)');
  const fields = [change.toUpperCase(), where, formatEndpoint(remote), ours, peers].join(',');
  return `SUBFLOW,${fields},${qualifiedName(event)}`;
}
