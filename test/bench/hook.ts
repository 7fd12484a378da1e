import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { parseRecord } from '../../src/openvpn/records/record.js';
import { checkout } from '../lab/checkout.js';
import type { Bench } from './bench.js';
import type { Figure } from './figure.js';
import { Floor } from './floor.js';
import { ratios, spreadOf, takeTurns } from './rounds.js';

const PLUGIN = path.join(checkout, 'build/Release/subflowd-plugin.so');

/** Some of the variables that OpenVPN sets for a hook. */
const ENVIRONMENT = {
  script_type: 'client-connect',
  daemon_pid: '4321',
  trusted_ip: '192.168.100.2',
  trusted_port: '38456',
  ifconfig_pool_remote_ip: '10.8.0.2',
  time_unix: '1700000000',
  dev: 'tun0',
  config: 'server.conf',
  common_name: 'alice',
};

export const hookBench: Bench = {
  name: 'hook',
  about:
    'the hook client-connect, for which OpenVPN waits: against an empty sh script, and the same in the plugin, in Python and Node',
  needs: [],
  async run(course) {
    // A tmpfs, as /run with the records is.
    const events = mkdtempSync('/dev/shm/subflowd-bench-');
    const own = path.join(events, 'own');
    mkdirSync(own);
    const env = { ...ENVIRONMENT, SUBFLOWD_EVENTS: events };
    const floor = Floor.start({ env });
    const plugin = Floor.start({ env, command: [await buildPluginBench(), PLUGIN] });
    try {
      const script = (name: string) => path.join(checkout, 'test/bench/hooks', name);
      const hooks = {
        ours: [path.join(checkout, 'hooks/client-connect')],
        empty: [script('empty')],
        python: [script('python')],
        node: [process.execPath, script('node.mjs')],
      };
      for (const [name, words] of Object.entries(hooks)) {
        await floor.time('spawn', 1, ...words);
        checkRecord(own, name);
      }
      await plugin.time('record', 1);
      checkRecord(own, 'plugin');
      course.say('hooks');
      const run = (words: readonly string[]) => (count: number) => floor.time('spawn', count, ...words);
      const times = await takeTurns(
        {
          ours: run(hooks.ours),
          empty: run(hooks.empty),
          plugin: (count: number) => plugin.time('record', count),
          python: run(hooks.python),
          node: run(hooks.node),
        },
        course,
      );
      const figure = (who: 'ours' | 'plugin' | 'python' | 'node', name: string): Figure => ({
        name,
        against: 'an empty sh script',
        where: 'this machine',
        ratio: spreadOf(ratios(times[who], times.empty)),
        ours: spreadOf(times[who]),
        theirs: spreadOf(times.empty),
        unit: 'ns',
      });
      return {
        figures: [
          { ...figure('ours', 'client-connect'), goal: { is: 'at most', value: 1.5 } },
          { ...figure('plugin', 'the same in the plugin'), goal: { is: 'at most', value: 0.1 } },
          figure('python', 'the same in Python'),
          figure('node', 'the same in Node'),
        ],
      };
    } finally {
      await floor.stop();
      await plugin.stop();
      rmSync(events, { recursive: true });
    }
  },
};

/** Compiles the program that calls the plugin as OpenVPN does. @returns the program. */
async function buildPluginBench(): Promise<string> {
  const program = path.join(checkout, 'build/bench-plugin');
  const source = path.join(checkout, 'test/bench/native/plugin.c');
  await execa('gcc', [
    ...['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror'],
    source,
    '-o',
    program,
  ]);
  return program;
}

/** Checks that each hook writes a record that the daemon accepts, and that the empty script writes none. */
function checkRecord(directory: string, who: string): void {
  const records = readdirSync(directory);
  const [name] = records;
  if (who === 'empty' ? name !== undefined : name === undefined)
    throw new Error(`the hook ${who} wrote ${records.length} records`);
  if (name === undefined) return;
  const file = path.join(directory, name);
  const parsed = parseRecord(readFileSync(file));
  if (!('record' in parsed) || parsed.record.commonName !== ENVIRONMENT.common_name)
    throw new Error(`the hook ${who} wrote a wrong record`);
  rmSync(file);
}
