import { connect, createServer, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import type { Backend } from '../../../src/backend/backend.js';
import { encodeConnections, decodeConnections } from '../../../src/helper/connection-list.js';
import { BadMessageError, encodeFrame, FrameReader } from '../../../src/helper/frames.js';
import { BOUNDS } from '../../../src/helper/messages.js';
import {
  readEvent,
  readFailure,
  readOpened,
  readPlainPeers,
  readResults,
} from '../../../src/helper/read-reply.js';
import { readMembers } from '../../../src/helper/fields.js';
import { readRequest } from '../../../src/helper/read-request.js';
import type { Connection } from '../../../src/model/connection.js';
import { generator } from '../../support/random.js';
import { until } from '../../support/until.js';
import { connectTo, socketPath, startHelper } from '../../support/helper-pair.js';

/** SUBFLOWD_MUTATIONS=1000000 for the long form. */
const MUTATIONS = Number(process.env.SUBFLOWD_MUTATIONS ?? 20_000);

const pid = process.pid;
const remote = { address: '192.168.100.2', port: 5 };
const local = { address: '192.0.2.1', port: 1194 };
const subflow = {
  local,
  remote,
  ours: 'active',
  peers: 'active',
  mpPrioPending: false,
  bytesAcked: 5,
} as const;
const known: readonly Connection[] = [{ pid, remote, local, token: 9, subflows: [subflow] }];

const REQUESTS: readonly unknown[] = [
  { id: 1, do: 'open', version: 1, backend: 'auto', layout: 'btf' },
  { id: 2, do: 'look', pid },
  {
    id: 3,
    do: 'set',
    changes: [{ name: { pid, connection: remote, local, remote }, priority: 'backup', overridePeer: true }],
  },
  { id: 4, do: 'watch', pids: [pid] },
  { id: 5, do: 'limit', withSession: 8, withoutSession: 2, tokens: [[pid, [9]]] },
  { id: 6, do: 'announce', announcements: [{ pid, token: 9, addresses: ['192.0.2.5'] }] },
];
const REPLIES: readonly unknown[] = [
  {
    id: 1,
    opened: {
      name: 'netlink',
      description: 'd',
      notifiesPeer: true,
      because: 'b',
      reportsChanges: true,
      limitsSubflows: true,
      announces: true,
    },
  },
  { id: 2, items: [...encodeConnections([], known)], plain: [['192.0.2.1', 5, null]], problems: [] },
  {
    id: 2,
    items: [
      ['c', 0, ...Array<null>(7).fill(null)],
      ['k', 0, 1],
    ],
    plain: [['192.0.2.1', 5, 7]],
    problems: ['p'],
  },
  { id: 3, results: [{ outcome: 'committed', isMpPrioRequested: true }] },
  { id: 4, error: { step: 'task', message: 'gone', remedy: 'r', gone: 5 } },
  { event: 'change' },
  {
    event: 'excess',
    closed: 5,
    connections: 1,
    worst: [{ pid, client: remote, token: 9, limit: 8, closed: 5 }],
  },
];

/** Values that a liar would try. */
const VALUES: readonly unknown[] = [
  ...[
    0,
    -1,
    1.5,
    1e308,
    2 ** 32,
    2 ** 53,
    4_194_305,
    null,
    true,
    '',
    'active',
    '0.0.0.0',
    '127.0.0.1',
    '::ffff:1.2.3.4',
  ],
  ...[
    '/etc/shadow',
    '../x',
    'x'.repeat(5_000),
    [],
    {},
    [[]],
    { length: 1e9 },
    '__proto__',
    'set',
    'toString',
  ],
];

/** The message with one value changed, removed or added. */
function mutate(message: unknown, random: () => number): unknown {
  const copy = structuredClone(message);
  const places: [Record<string, unknown>, string][] = [];
  const collect = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value as Record<string, unknown>, key]);
      collect((value as Record<string, unknown>)[key]);
    }
  };
  collect(copy);
  const [at, key] = places[Math.floor(random() * places.length)] ?? [{}, ''];
  const kind = random();
  const value = VALUES[Math.floor(random() * VALUES.length)];
  if (kind < 0.6) at[key] = value;
  else if (kind < 0.8) Reflect.deleteProperty(at, key);
  else if (Array.isArray(at)) at.push(value);
  else at[`${key}2`] = value;
  // as it arrives: without holes in arrays
  return JSON.parse(JSON.stringify(copy));
}

/** One byte of the frame changed, or its end missing. */
function corrupt(frame: Buffer, random: () => number): Buffer {
  const bytes = Buffer.from(frame);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = Math.floor(random() * 256);
  return random() < 0.2 ? bytes.subarray(0, at) : bytes;
}

/** @returns whether it was read; any other error than the one for a broken rule fails the test. */
function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (!(error instanceof BadMessageError)) throw error;
    return false;
  }
}

function readReply(message: unknown): void {
  const members = readMembers(message, 'message');
  if (readEvent(members) !== undefined) return;
  if (members.error !== undefined) readFailure(members.error);
  else if (members.opened !== undefined) readOpened(members.opened);
  else if (members.results !== undefined) readResults(members.results, 1);
  else {
    decodeConnections(pid, known, Array.isArray(members.items) ? (members.items as unknown[]) : []);
    readPlainPeers(pid, members.plain);
  }
}

it('each value of each message: a reader returns what is within the bounds, or refuses the message', () => {
  const random = generator(1);
  let read = 0;
  for (let count = 0; count < MUTATIONS; count++) {
    const [messages, reader] = count % 2 === 0 ? [REQUESTS, readRequest] : [REPLIES, readReply];
    const message = mutate(messages[Math.floor(count / 2) % messages.length], random);
    if (
      isRead(() => {
        reader(message);
      })
    )
      read++;
    const frame = corrupt(encodeFrame(message), random);
    isRead(() => {
      for (const each of new FrameReader(BOUNDS.requestBytes).push(frame)) reader(each);
    });
  }
  // neither all are read, nor all refused
  expect(read).toBeGreaterThan(MUTATIONS / 20);
  expect(read).toBeLessThan((MUTATIONS * 19) / 20);
});

/** A backend that counts what it is asked to do. */
function counting(): Backend & { readonly done: string[] } {
  const done: string[] = [];
  return {
    done,
    name: 'netlink',
    description: '',
    notifiesPeer: true,
    connections: () => Promise.resolve({ connections: known, plain: [], problems: [] }),
    setPriorities: (requests) => {
      for (const { name } of requests) done.push(JSON.stringify(name));
      return Promise.resolve(requests.map(() => ({ outcome: 'gone', isMpPrioRequested: false })));
    },
    limitSubflows: ({ withSession, withoutSession }) => {
      if (Math.min(withSession, withoutSession) < BOUNDS.leastSubflows) done.push('too low a limit');
    },
    announce: () => [],
    onChange: () => undefined,
    close: () => Promise.resolve(),
  };
}

it('a daemon that lies ends its own connection, and the next one is served', async () => {
  const socket = socketPath();
  const notices: string[] = [];
  const backend = counting();
  await startHelper(socket, backend, notices);
  const random = generator(2);
  for (let count = 0; count < Math.min(MUTATIONS / 50, 5_000); count++) {
    const liar = connect(socket);
    const frames = REQUESTS.map((request, at) => {
      const frame = encodeFrame(at > 0 && random() < 0.5 ? mutate(request, random) : request);
      return random() < 0.1 ? corrupt(frame, random) : frame;
    });
    await new Promise<void>((resolve) => {
      liar
        .on('error', () => undefined)
        .on('close', () => {
          resolve();
        });
      liar.on('data', () => undefined);
      liar.end(Buffer.concat(frames));
    });
  }
  expect(notices.length).toBeGreaterThan(0);
  expect(backend.done).not.toContain('too low a limit');
  const { backend: honest } = await connectTo(socket);
  expect((await honest.connections(pid)).connections).toEqual(known);
});

it('a helper that lies ends its own link, and the daemon goes on', async () => {
  const socket = socketPath();
  const random = generator(3);
  let isHonest = true;
  const answerTo = (request: ReturnType<typeof readRequest>) => {
    if (request.do === 'open') return { ...(REPLIES[0] as object), id: request.id };
    if (request.do === 'look') {
      const honest = { id: request.id, items: [...encodeConnections([], known)], plain: [], problems: [] };
      return isHonest ? honest : mutate({ ...honest, id: request.id }, random);
    }
    return { id: request.id, done: true };
  };
  const peers = new Set<Socket>();
  const server = createServer((peer) => {
    peers.add(peer);
    const reader = new FrameReader(BOUNDS.requestBytes);
    peer.on('error', () => undefined);
    peer.on('data', (chunk) => {
      for (const message of reader.push(chunk)) {
        const frame = encodeFrame(answerTo(readRequest(message)));
        peer.write(!isHonest && random() < 0.1 ? corrupt(frame, random) : frame);
      }
    });
  }).listen(socket);
  onTestFinished(() => {
    for (const peer of peers) peer.destroy();
    server.close();
  });
  const { backend, reported } = await connectTo(socket, 200);
  isHonest = false;
  for (let count = 0; count < 30; count++) {
    const seen = await backend.connections(pid).catch((error: unknown) => error);
    if (seen instanceof Error) expect(seen.name).toBe('KernelError');
  }
  isHonest = true;
  await until('it is connected again', () =>
    backend.connections(pid).then(
      () => true,
      () => false,
    ),
  );
  expect((await backend.connections(pid)).connections).toMatchObject(known);
  expect(reported.length).toBeGreaterThan(0);
});
