import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { talk } from '../../src/console/talk.js';
import { Cleanup } from '../lab/cleanup.js';
import type { Namespace } from '../lab/namespace.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths } from '../lab/network.js';
import { untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules, type SidecarFiles } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';
import { noiseArguments, type ListenerNoise } from '../support/listener-noise.js';
import { DIRECTORY_NOISE, makeNoise, type DirectoryNoise } from '../support/noise-maker.js';

/** How long there is noise, milliseconds. */
const NOISE_MS = 15_000;
/** Within what an admin is to be answered, and a client that has connected to be on its path, milliseconds ... */
const ANSWER_MS = 1_000;
const STEERED_MS = 2_000;
/** ... and how many times as long a busy machine may take. What it took is printed. */
const PATIENCE = 5;
const NOBODY = 65534;
const PORT = 7505;
const paths = figure6Paths;

let cleanup: Cleanup;

interface Noisy {
  readonly stage: Stage;
  /** Of the server's own console. */
  readonly console: string;
  /** Of a management interface that the noise makes. */
  readonly management: string;
  /** Runs a noise until the end of the test. */
  readonly begin: (
    kind: ListenerNoise,
    place: Parameters<typeof noiseArguments>[1],
    from?: Namespace,
    wrapper?: readonly string[],
  ) => void;
}

/** A server with a client, and a sidecar that steers it. */
async function build(): Promise<Noisy> {
  const stage = await buildStage(cleanup, { paths, backend: 'netlink', clients: 2 });
  const { files, network } = stage;
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
  const listen = `console-listen = 127.0.0.1 ${PORT}\nconsole-password-file = ${password}\n`;
  await writeFile(files.config, ini.replace('[openvpn lab]\n', `[openvpn lab]\n${listen}`));
  const sidecar = Sidecar.start(network.server, files.config, `${files.config}.log`);
  cleanup.add(() => sidecar.stop());
  await untilStatus(files, 'an answer', () => true);
  await stage.connect(0, 'alice');
  await onLte(files, 'alice');
  const begin: Noisy['begin'] = (kind, place, from = network.server, wrapper = asNobody) => {
    const child = from.start(wrapper[0] ?? '', [
      ...wrapper.slice(1),
      process.execPath,
      ...noiseArguments(kind, place),
    ]);
    cleanup.add(async () => {
      child.kill('SIGKILL');
      await child;
    });
  };
  return { stage, console: path.join(directory, 'lab.sock'), management, begin };
}

const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

async function onLte(files: SidecarFiles, client: string): Promise<void> {
  await untilStatus(files, `${client} on lte`, ({ sessions }) =>
    sessions.some(
      ({ session, state, current }) =>
        session.commonName === client && state === 'obeyed' && current === 'lte',
    ),
  );
}

/** Asks as an admin does, all the time that there is noise, and lets a client connect meanwhile. */
async function served({ stage }: Noisy): Promise<void> {
  const end = performance.now() + NOISE_MS;
  const waits: number[] = [];
  const admin = (async () => {
    while (performance.now() < end) {
      const start = performance.now();
      await talk(stage.files.console, 'mptcp status', 30_000);
      waits.push(performance.now() - start);
      await sleep(200);
    }
  })();
  await sleep(1_000);
  await stage.connect(1, 'bob');
  const connected = performance.now();
  await onLte(stage.files, 'bob');
  const steered = performance.now() - connected;
  await admin;
  const slowest = Math.max(...waits);
  console.log(
    `slowest answer of ${waits.length}: ${slowest.toFixed(0)} ms of ${ANSWER_MS}; steered after ${steered.toFixed(0)} ms of ${STEERED_MS}`,
  );
  expect(slowest).toBeLessThan(PATIENCE * ANSWER_MS);
  expect(steered).toBeLessThan(PATIENCE * STEERED_MS);
}

describe('an admin is answered and a new client is steered', () => {
  needs(...networkNeeds);

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('while somebody fills the console of subflowd', async () => {
    const noisy = await build();
    const { console } = noisy.stage.files;
    await chmod(console, 0o666);
    noisy.begin('connectAndShout', { path: console });
    await served(noisy);
  });

  test('while somebody fills the console of the server', async () => {
    const noisy = await build();
    await chmod(noisy.console, 0o666);
    noisy.begin('connectAndShout', { path: noisy.console });
    await served(noisy);
  });

  test('while somebody guesses passwords at the console on TCP', async () => {
    const noisy = await build();
    noisy.begin('guessPasswords', { host: '127.0.0.1', port: PORT });
    await served(noisy);
  });

  test('while the management interface of another server never stops talking', async () => {
    const noisy = await build();
    // as root, by whom it is made
    noisy.begin('talkForEver', { path: noisy.management }, undefined, ['env']);
    await served(noisy);
  });

  test.each([
    ['MPTCP', ['mptcpize', 'run']],
    ['TCP', ['env']],
  ])('while a stranger connects to the server by %s again and again', async (_what, wrapper) => {
    const noisy = await build();
    const { network } = noisy.stage;
    const from = network.clients[0]?.namespace;
    if (from === undefined) throw new Error('the network has no client');
    noisy.begin('connectAndGo', { host: network.serverAddress.v4, port: 1194 }, from, wrapper);
    await served(noisy);
  });

  test.each(Object.keys(DIRECTORY_NOISE) as DirectoryNoise[])(
    'while the user of the hooks %s',
    async (kind) => {
      const noisy = await build();
      const { stop } = await makeNoise(kind, path.join(noisy.stage.files.events, 'nobody'), NOBODY);
      cleanup.add(stop);
      await served(noisy);
    },
  );
});
