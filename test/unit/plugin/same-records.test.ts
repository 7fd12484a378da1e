import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { parseRecord } from '../../../src/openvpn/records/record.js';
import { checkout } from '../../lab/checkout.js';
import { compileWithPlugin, PluginDriver, type Variables } from '../../support/plugin/driver.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** Runs of each random test, and inputs of the mutation loop. More of them find more. */
const RUNS = Number(process.env.PLUGIN_RUNS ?? 60);
const MUTATIONS = Number(process.env.PLUGIN_MUTATIONS ?? 20_000);

/** A directory of its own for the records of one of the two. */
function eventsDirectory(): { readonly events: string; readonly own: string } {
  const events = temporaryDirectory();
  const own = path.join(events, 'own');
  mkdirSync(own, { mode: 0o700 });
  return { events, own };
}

function contentOf(directory: string): Record<string, string> {
  const names = readdirSync(directory).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(directory, name), 'latin1')]));
}

const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll('\0', ''));
const address = fc.constantFrom(
  '192.0.2.7',
  '2001:db8::7',
  '10.8.0.2',
  '',
  '../x',
  'fe80::1%eth0',
  '*',
  '[a]',
);
const digits = fc.constantFrom('4242', '50000', '1700000000', '', '0', '12a', '-1', '007');
const protocol = fc.constantFrom('tcp-server', 'udp', 'udp6', 'tcp4-server', '');
const variables: fc.Arbitrary<Variables> = fc.record(
  {
    daemon_pid: fc.oneof({ weight: 4, arbitrary: fc.constant('4242') }, digits),
    trusted_ip: fc.oneof({ weight: 2, arbitrary: fc.constant('192.0.2.7') }, address),
    trusted_ip6: address,
    trusted_port: fc.oneof({ weight: 4, arbitrary: fc.constant('50000') }, digits),
    ifconfig_pool_remote_ip: address,
    ifconfig_pool_remote_ip6: address,
    time_unix: digits,
    proto_1: protocol,
    proto_2: protocol,
    proto_8: protocol,
    dev: text,
    config: text,
    common_name: text,
  },
  { requiredKeys: ['daemon_pid', 'trusted_ip', 'trusted_port'] },
);
/** Changes between connect and disconnect: an address that a script changed, a client that floated. */
const changes: fc.Arbitrary<Variables> = fc.record(
  { trusted_ip: address, trusted_port: digits, ifconfig_pool_remote_ip: address, time_unix: digits },
  { requiredKeys: [] },
);

it('the plugin leaves the same records as the scripts, whatever the variables are', async () => {
  const driver = await compileWithPlugin('driver', temporaryDirectory());
  const script = eventsDirectory();
  const plugin = eventsDirectory();
  const hook = (name: string, values: Variables) =>
    execa(path.join(checkout, 'hooks', name), {
      env: { SUBFLOWD_EVENTS: script.events, script_type: name, ...values },
      extendEnv: false,
    });
  const process = new PluginDriver([driver], [plugin.events]);
  await process.open();
  let recorded = 0;
  try {
    await fc.assert(
      fc.asyncProperty(variables, changes, async (values, changed) => {
        await Promise.all([hook('client-connect', values), process.learn(values)]);
        const records = contentOf(script.own);
        expect(contentOf(plugin.own)).toEqual(records);
        recorded += Object.keys(records).length;
        const left = { ...values, ...changed };
        await Promise.all([hook('client-disconnect', left), process.disconnect(left)]);
        expect(contentOf(plugin.own)).toEqual(contentOf(script.own));
      }),
      { numRuns: RUNS, seed: 4242 },
    );
  } finally {
    await process.end();
  }
  expect(recorded).toBeGreaterThan(RUNS / 2);
}, 600_000);

it('the plugin survives mutated variables, and every record is complete', async () => {
  const fuzz = await compileWithPlugin('fuzz', temporaryDirectory());
  const { events, own } = eventsDirectory();
  for (const seed of ['1', '2']) await execa(fuzz, [events, seed, String(MUTATIONS / 2)]);
  // a name can have bytes that are not UTF-8
  const records = readdirSync(own, { encoding: 'buffer' });
  expect(records.length).toBeGreaterThan(20);
  for (const name of records) {
    expect(name.toString()).not.toMatch(/^\./);
    const content = readFileSync(Buffer.concat([Buffer.from(`${own}/`), name]));
    expect(parseRecord(content)).not.toHaveProperty('unfinished');
  }
}, 600_000);
