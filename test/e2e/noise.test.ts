import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { talk } from '../../src/console/terminal/talk.js';
import { labScript } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths, type ClientHost } from '../lab/network.js';
import { openvpnPort } from '../lab/openvpn.js';
import { says } from '../lab/says.js';
import { untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules, type SidecarFiles } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { floodOfJoins } from '../support/join-flood.js';
import { noiseArguments, type ListenerNoise, type Place } from '../support/listener-noise.js';
import { DIRECTORY_NOISE, isRunning, makeNoise, type DirectoryNoise } from '../support/noise-maker.js';

/** How long there is noise, milliseconds. */
const NOISE_MS = 60_000;
/** The clients that connect meanwhile, and when, in milliseconds after the noise began. */
const NEWCOMERS = [
  ['bob', 2_000],
  ['carol', 22_000],
  ['dave', 42_000],
] as const;
/** The host behind those of alice and the newcomers. */
const STRANGER = 1 + NEWCOMERS.length;
/** Longest times until an admin has an answer, and until a connected client is on its path, milliseconds ... */
const ANSWER_MS = 1_000;
const STEERED_MS = 2_000;
/** ... and how many times as long a busy machine may take. The test prints the times. */
const PATIENCE = 5;
const NOBODY = 65534;
const CONSOLE_PORT = 7505;
/** Port of another MPTCP service on the server's host. */
const OTHER_PORT = 4000;
const paths = figure6Paths;

/**
 * Everything that users of the hooks can do. Each line is one user with its own directory, who does all of the line at the
 * same time. No noise of a line prevents another one of that line.
 */
const OF_HOOK_USERS = [
  {
    uid: NOBODY,
    kinds: [
      'makes and removes a file that has the name of the directory',
      'makes and removes files of any name',
    ],
  },
  {
    uid: 1,
    kinds: [
      'writes records that are too long again and again',
      'makes and removes records of a session that looks right',
    ],
  },
  { uid: 2, kinds: ['opens its directory to others and closes it'] },
] as const satisfies readonly { readonly uid: number; readonly kinds: readonly DirectoryNoise[] }[];

const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const byMptcp = ['mptcpize', 'run'];

let cleanup: Cleanup;

interface Noisy {
  readonly stage: Stage;
  /** The directory of the config and of the hooks' directories. */
  readonly directory: string;
  /** The socket of the server's own console. */
  readonly console: string;
  /** The socket of a management interface that the noise creates. */
  readonly management: string;
  readonly stranger: ClientHost;
  /** Runs a noise until the end of the test. */
  readonly begin: (kind: ListenerNoise, place: Place, from?: Namespace, wrapper?: readonly string[]) => void;
  /** Whether each noise still runs: asked after the minute. */
  readonly lasts: (() => boolean)[];
  /** Ends what {@link begin} began. @returns how many times each noise did its action. */
  readonly counts: () => Promise<readonly number[]>;
}

/** A server with a client, and a subflowd that steers it. */
async function build(): Promise<Noisy> {
  const stage = await buildStage(cleanup, { paths, backend: 'netlink', clients: STRANGER + 1 });
  const { files, network } = stage;
  const stranger = network.clients[STRANGER];
  if (stranger === undefined) throw new Error('the network has no stranger');
  const directory = path.dirname(files.config);
  const management = path.join(directory, 'noisy-management.sock');
  await writeRules(
    files,
    paths,
    { '*': 'lte' },
    { sections: [['[openvpn noisy]', `management = ${management}`, `events = ${directory}/other`]] },
  );
  const password = path.join(directory, 'console.password');
  await writeFile(password, 'right\n', { mode: 0o600 });
  const ini = await readFile(files.config, 'utf8');
  const listen = `console-listen = 127.0.0.1 ${CONSOLE_PORT}\nconsole-password-file = ${password}\n`;
  await writeFile(files.config, ini.replace('[openvpn lab]\n', `[openvpn lab]\n${listen}`));
  const sidecar = Sidecar.start(network.server, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'an answer', () => true);
  await stage.connect(0, 'alice');
  await onLte(files, 'alice');
  const lasts: (() => boolean)[] = [];
  const stops: (() => Promise<number>)[] = [];
  const begin: Noisy['begin'] = (kind, place, from = network.server, wrapper = asNobody) => {
    const child = from.start(wrapper[0] ?? '', [
      ...wrapper.slice(1),
      process.execPath,
      ...noiseArguments(kind, place),
    ]);
    lasts.push(() => isRunning(child));
    const stop = async () => {
      child.kill('SIGTERM');
      const { stdout } = await child;
      console.log(`${kind}: ${stdout} times`);
      return Number(stdout);
    };
    stops.push(stop);
    cleanup.add(async () => {
      if (isRunning(child)) await stop();
    });
  };
  const counts = () => Promise.all(stops.map((stop) => stop()));
  return {
    stage,
    directory,
    console: path.join(directory, 'lab.sock'),
    management,
    stranger,
    begin,
    lasts,
    counts,
  };
}

async function onLte(files: SidecarFiles, client: string): Promise<void> {
  await untilStatus(files, `${client} on lte`, ({ sessions }) =>
    sessions.some(
      ({ session, state, current }) =>
        session.commonName === client && state === 'obeyed' && current === 'lte',
    ),
  );
}

/** Makes noise in a directory until the end of the test. */
async function noiseIn(
  { lasts }: Noisy,
  directory: string,
  kinds: readonly DirectoryNoise[],
  uid = NOBODY,
): Promise<void> {
  for (const kind of kinds) {
    const noise = await makeNoise(kind, directory, uid);
    lasts.push(noise.isRunning);
    cleanup.add(noise.stop);
  }
}

/** Asks for status while there is noise, and connects one client after another meanwhile. */
async function served({ stage, lasts, counts }: Noisy): Promise<void> {
  const start = performance.now();
  const answers: number[] = [];
  const admin = (async () => {
    while (performance.now() < start + NOISE_MS) {
      const asked = performance.now();
      await talk(stage.files.console, 'mptcp status');
      answers.push(performance.now() - asked);
      await sleep(200);
    }
  })();
  const steered: number[] = [];
  for (const [index, [name, afterMs]] of NEWCOMERS.entries()) {
    await sleep(Math.max(0, start + afterMs - performance.now()));
    await stage.connect(1 + index, name);
    const connected = performance.now();
    await onLte(stage.files, name);
    steered.push(performance.now() - connected);
  }
  await admin;
  const slowest = Math.max(...answers);
  const ms = (values: readonly number[]) => values.map((value) => value.toFixed(0)).join(', ');
  console.log(
    `slowest of ${answers.length} answers: ${ms([slowest])} ms of ${ANSWER_MS}; ` +
      `steered after ${ms(steered)} ms of ${STEERED_MS}`,
  );
  expect(lasts.map((isThere) => isThere())).toEqual(lasts.map(() => true));
  for (const count of await counts()) expect(count).toBeGreaterThan(0);
  expect(slowest).toBeLessThan(PATIENCE * ANSWER_MS);
  expect(Math.max(...steered)).toBeLessThan(PATIENCE * STEERED_MS);
}

describe('for a minute an admin gets answers and new clients are steered', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('while a user fills the consoles and guesses passwords at the one on TCP', async () => {
    const noisy = await build();
    for (const place of [noisy.stage.files.console, noisy.console]) {
      await chmod(place, 0o666);
      noisy.begin('connectAndShout', { path: place });
    }
    noisy.begin('guessPasswords', { host: '127.0.0.1', port: CONSOLE_PORT });
    await served(noisy);
  });

  test('while the management interface of another server sends without a pause', async () => {
    const noisy = await build();
    // as root: subflowd talks to no other user there
    noisy.begin('talkForEver', { path: noisy.management }, undefined, ['env']);
    await served(noisy);
  });

  test('while a stranger connects to the server and to another MPTCP service of its host again and again', async () => {
    const noisy = await build();
    const { server, serverAddress } = noisy.stage.network;
    const service = server.start('mptcpize', [
      ...['run', process.execPath, labScript('mptcp-peer'), 'serve', `${OTHER_PORT}`],
    ]);
    cleanup.add(async () => {
      service.kill('SIGKILL');
      await service;
    });
    await says(service.stdout, 'listening');
    for (const [port, wrapper] of [
      [openvpnPort, byMptcp],
      [openvpnPort, ['env']],
      [OTHER_PORT, byMptcp],
    ] as const) {
      noisy.begin('connectAndGo', { host: serverAddress.v4, port }, noisy.stranger.namespace, wrapper);
    }
    await served(noisy);
  });

  test('while a stranger joins a connection of its own again and again', async () => {
    const noisy = await build();
    await noisy.stranger.namespace.sysctl({ 'net.mptcp.pm_type': 1 });
    const { child } = await floodOfJoins(cleanup, noisy.stage, noisy.stranger, {
      joins: 1_000_000,
      perSecond: 2_000,
    });
    noisy.lasts.push(() => isRunning(child));
    await served(noisy);
    child.kill('SIGTERM');
    console.log((await child).stdout);
  });

  test('while three users of the hooks make every known kind of noise in their directories', async () => {
    expect(OF_HOOK_USERS.flatMap(({ kinds }) => kinds).sort()).toEqual(Object.keys(DIRECTORY_NOISE).sort());
    const noisy = await build();
    for (const { uid, kinds } of OF_HOOK_USERS) {
      const own = path.join(noisy.stage.files.events, uid === NOBODY ? 'nobody' : `${uid}`);
      await mkdir(own, { recursive: true, mode: 0o700 });
      await chown(own, uid, uid);
      await noiseIn(noisy, own, kinds, uid);
    }
    await served(noisy);
  });

  test('while a user who may write to the directory of subflowd.ini makes and removes files there', async () => {
    const noisy = await build();
    await chmod(noisy.directory, 0o1777);
    await noiseIn(noisy, noisy.directory, OF_HOOK_USERS[0].kinds);
    await served(noisy);
  });
});
