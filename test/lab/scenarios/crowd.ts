// 20 clients at once, each with a rule. One has a single path, one uses plain TCP, and one has a subflow through its own
// tunnel. Meanwhile the sidecar is killed, stopped and started again. No client reconnects because of it.
import { writeFileSync, mkdirSync, chownSync } from 'node:fs';
import path from 'node:path';
import { figure6Paths } from '../network.js';
import { HelperProcess } from '../helper-process.js';
import { Sidecar } from '../sidecar.js';
import { writeRules } from '../sidecar-files.js';
import { buildStage } from '../stage.js';
import { command, reconnects, say, scenario, statusOf, untilStatus, wantedBackend } from './scenario.js';

const CLIENTS = 20;
/** Names that a shell, an ini file or a console could read wrongly. All other clients have plain names. */
const NAMES = ['lone.example.com', 'plain', 'tunnel', 'Bob "The Builder"', "O'Brien $(reboot)", '山田 太郎'];

const nameOf = (index: number) => NAMES[index] ?? `client-${index}`;

await scenario(async (cleanup, out) => {
  const paths = figure6Paths;
  const stage = await buildStage(cleanup, { paths, clients: CLIENTS, backend: wantedBackend(), logs: out });
  const { files, network } = stage;
  // rules by exact name, by glob, and by default
  await writeRules(files, paths, {
    'client-?[13579]': 'wifi',
    'client-*': 'wifi, lte',
    'client-7': 'lte',
    'Bob "The Builder"': 'lte, wifi',
    "O'Brien $(reboot)": 'lte',
    '山田*': 'lte',
    'lone.example.com': 'lte',
    tunnel: 'lte',
    '*': 'wifi',
  });
  // records that must be ignored: garbage, a process that is not OpenVPN, and a port that no client has
  const nobody = path.join(files.events, 'nobody');
  mkdirSync(nobody, { recursive: true });
  const falseRecords = {
    garbage: 'not a record',
    [`${process.pid}-192.168.100.2-1`]: record(process.pid, 1),
    [`${stage.server.pid}-192.168.100.2-2`]: record(stage.server.pid, 2),
  };
  for (const [name, text] of Object.entries(falseRecords)) {
    writeFileSync(path.join(nobody, name), text);
    chownSync(path.join(nobody, name), 65534, 65534);
  }
  await network.clients[0]?.namespace.ip(['mptcp endpoint flush']);

  const log = `${out}/subflowd.log`;
  const helper = await HelperProcess.start(network.server, `${files.config}.helper`, `${out}/helper.log`);
  cleanup.add(() => helper.stop());
  const first = Sidecar.start(network.server, files.config, log, { helper });
  cleanup.add(() => first.stop());
  await untilStatus(files, 'the sidecar answers', () => true);
  const tunnels = [];
  // four handshakes at a time: more would time out on an emulated processor
  for (let index = 0; index < CLIENTS; index += 4) {
    tunnels.push(
      ...(await Promise.all(
        [index, index + 1, index + 2, index + 3].map((one) =>
          stage.connect(one, nameOf(one), {
            mptcp: nameOf(one) !== 'plain',
            // without it, OpenVPN drops packets to its own server that come out of the tunnel
            lines: nameOf(one) === 'tunnel' ? ['allow-recursive-routing'] : [],
          }),
        ),
      )),
    );
    say(`${tunnels.length} clients are connected`);
  }
  const settled = await untilStatus(
    files,
    'every rule is obeyed',
    ({ sessions }) =>
      sessions.length === CLIENTS &&
      sessions.every(({ session, state, subflows }) =>
        session.commonName === 'plain'
          ? state === 'plain'
          : session.commonName === 'lone.example.com'
            ? state === 'absent'
            : state === 'obeyed' && subflows.length >= 2,
      ),
  );
  say('every rule is obeyed');

  const tunnelHost = network.clients[NAMES.indexOf('tunnel')]?.namespace;
  const inner = settled.sessions.find(({ session }) => session.commonName === 'tunnel')?.session.virtual[0];
  if (tunnelHost === undefined || inner === undefined)
    throw new Error('the tunnel client has no virtual address');
  await tunnelHost.ip([
    'route add default dev tun0 table 300',
    `rule add from ${inner} table 300`,
    `mptcp endpoint add ${inner} dev tun0 subflow`,
  ]);
  const withTunnel = await untilStatus(files, 'a subflow goes through the tunnel', ({ sessions }) =>
    sessions.some(
      ({ state, subflows }) => state === 'obeyed' && subflows.some(({ throughTunnel }) => throughTunnel),
    ),
  );
  say('a subflow goes through the tunnel');

  await first.stop('SIGKILL');
  await writeRules(files, paths, { '*': 'lte, wifi' });
  const second = Sidecar.start(network.server, files.config, log, { helper });
  cleanup.add(() => second.stop());
  const afterKill = await untilStatus(
    files,
    'every client is on lte after the restart',
    ({ sessions }) =>
      sessions.length === CLIENTS &&
      sessions.every(
        ({ session, state, primary }) =>
          ['plain', 'lone.example.com'].includes(session.commonName) ||
          (state === 'obeyed' && primary === 'lte'),
      ),
  );
  say('the sidecar was killed and started again: every client follows the new rules');

  const answers = {
    bob: await command(files, 'mptcp primary "Bob \\"The Builder\\"" wifi'),
    lone: await command(files, 'mptcp primary lone.example.com lte'),
    nobody: await command(files, 'mptcp primary mallory lte').catch(
      (error: unknown) => (error as Error).message,
    ),
  };
  await second.stop();
  const third = Sidecar.start(network.server, files.config, log, { helper });
  cleanup.add(() => third.stop());
  const afterStop = await untilStatus(
    files,
    'the override is in force after a restart',
    ({ sessions }) =>
      sessions.length === CLIENTS &&
      sessions.some(
        ({ session, state, primary }) =>
          session.commonName.startsWith('Bob') && state === 'obeyed' && primary === 'wifi',
      ),
  );
  await command(files, 'mptcp primary "Bob \\"The Builder\\"" auto');
  const end = await statusOf(files);
  return {
    settled, withTunnel, afterKill, afterStop, end, answers,
    log: await third.log(),
    reconnects: await reconnects(tunnels),
  }; // prettier-ignore
});

function record(pid: number, port: number): string {
  return `subflowd-event=1\0script_type=client-connect\0daemon_pid=${pid}\0trusted_ip=192.168.100.2\0trusted_port=${port}\0common_name=mallory\0end\0`;
}
