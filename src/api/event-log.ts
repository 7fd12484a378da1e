import type { SwitchTraffic } from '../control/pending-switches.js';
import type { Logger } from '../util/log.js';
import type { DaemonEvent, EventOf, EventStream } from './events.js';

/** One line of the log: its level, its members besides the message, and the message. */
type LogLine = readonly [
  level: 'info' | 'warn' | 'error',
  members: Readonly<Record<string, unknown>>,
  text: string,
];

/** What the log says of the traffic after a switch. */
const TRAFFIC_TEXTS: Readonly<Record<SwitchTraffic, string>> = {
  moved: '',
  idle: ' (nothing was sent since)',
  none: ' (nothing was acknowledged there)',
  unknown: ' (not known whether traffic followed)',
};

/** How each kind of event is logged: one line, several, or none. Names of members are part of the log's format. */
const LOGGED: { readonly [Kind in DaemonEvent['kind']]: (event: EventOf<Kind>) => readonly LogLine[] } = {
  ready: ({ kind, version, servers, backend: { name, description } }) => [
    [
      'info',
      { event: kind, backend: name },
      `subflowd ${version} serves ${servers.join(', ')} through ${name}: ${description}`,
    ],
  ],
  stopped: ({ kind }) => [['info', { event: kind }, 'stopped; every subflow stays as it is']],
  switch: ({
    kind,
    committedAt,
    server,
    commonName,
    from,
    to,
    reason,
    by,
    peerNotified,
    traffic,
    movedAt,
  }) => [
    [
      'info',
      {
        event: kind,
        committedAt,
        server,
        commonName,
        from: from ?? null,
        to,
        by,
        reason,
        peerTold: peerNotified,
        traffic,
        ...(movedAt !== undefined && { movedAt }),
      },
      `${commonName}: ${from === undefined ? '' : `from ${from} `}to ${to}${peerNotified ? '' : ' (the client is not notified)'}${TRAFFIC_TEXTS[traffic]}`,
    ],
  ],
  session: ({ kind, server, commonName, state, reason }) => [
    ['info', { event: kind, server, commonName, state }, `${commonName}: ${state}, ${reason}`],
  ],
  subflow: () => [],
  rejoin: ({ kind, server, commonName, paths, lackedMs, by }) => [
    [
      'info',
      { event: kind, server, commonName, paths, lackedMs: Math.round(lackedMs), by },
      `${commonName}: disconnected while idle, so that it comes back with ${paths.join(', ')}, which it lost ${(lackedMs / 1000).toFixed(0)} s ago (rejoin-after of ${by})`,
    ],
  ],
  'excess-subflows': ({ kind, closed, connections, worst, text }) => [
    ['warn', { event: kind, closed, connections, worst }, text],
  ],
  config: ({ kind, needRestart }) => [
    ['info', { event: kind }, 'the changed config is in force'],
    ...needRestart.map((section): LogLine => {
      const text = `[${section}] changed: this takes effect when subflowd is restarted`;
      return ['warn', { event: kind }, text];
    }),
  ],
  'config-mistake': ({ kind, mistakes }) =>
    mistakes.map((mistake) => ['error', { event: kind }, `${mistake} (the old config stays in force)`]),
  override: ({ kind, client, to, by }) => [
    [
      'info',
      { event: kind, key: client, path: to ?? null, by },
      `override of ${client}: ${to ?? 'removed'} (by ${by})`,
    ],
  ],
  order: ({ kind, server, client, command }) => [
    [
      'info',
      { event: kind, server, client, command },
      `${server}: client ${client} of its console sends ${command}`,
    ],
  ],
  'wrong-password': ({ kind, server, text }) => [
    ['warn', { event: kind, server }, `${server}: ${text} at its console on TCP`],
  ],
  problem: ({ kind, text, severity }) => [[severity, { event: kind }, text]],
  resolved: ({ kind, text }) => [['info', { event: kind }, `resolved: ${text}`]],
};

/** Logs each event from now on. */
export function logEvents(events: EventStream, log: Logger): void {
  events.subscribe((event) => {
    for (const [level, members, text] of linesOf(event)) log[level](members, text);
  });
}

function linesOf<Kind extends DaemonEvent['kind']>(event: EventOf<Kind>): readonly LogLine[] {
  const kind: Kind = event.kind;
  return LOGGED[kind](event);
}
