import { beforeEach, describe, expect, test } from 'vitest';
import { execa } from 'execa';
import path from 'node:path';
import { hostOn } from '../lab/addresses.js';
import { checkout } from '../lab/checkout.js';
import { Cleanup } from '../lab/cleanup.js';
import { needs, networkNeeds } from '../lab/needs.js';
import { figure6Paths, type PathOptions } from '../lab/network.js';
import { untilStatus } from '../lab/scenarios/scenario.js';
import { Sidecar } from '../lab/sidecar.js';
import { writeRules } from '../lab/sidecar-files.js';
import { buildStage, type Stage } from '../lab/stage.js';

const main = path.join(checkout, 'dist/bundle/main.js');
const paths = figure6Paths;
/** The address of the NAT towards the server. */
const PUBLIC = hostOn({ number: 110 }, 1).v4;

let cleanup: Cleanup;

/** Puts both paths of all clients behind one address. */
async function addNat({ network }: Stage): Promise<void> {
  const rules =
    'table ip nat { chain out { type nat hook postrouting priority 100; oifname "server" masquerade; }; }';
  await network.internet.run('nft', [rules]);
}

/** Writes a config in which both paths, or wifi alone, have the public address. */
async function writeConfig({ files }: Stage, isShared: boolean): Promise<void> {
  const prefix = `prefix = ${PUBLIC}/32`;
  const more = ({ name }: PathOptions) => {
    if (name === 'wifi') return [prefix];
    return isShared ? [prefix, 'address-id = 1'] : [];
  };
  await writeRules(files, paths, { alice: 'lte' }, { path: more });
}

describe('a client whose paths have one public address', () => {
  needs(...networkNeeds, 'nft');

  beforeEach(() => {
    cleanup = new Cleanup();
    return () => cleanup.run();
  });

  test('is noted by doctor, and follows its rule once address-id tells the paths apart', async () => {
    const stage = await buildStage(cleanup, { paths, backend: 'netlink' });
    await addNat(stage);
    await writeConfig(stage, false);
    const sidecar = Sidecar.start(stage.network.server, stage.files.config, `${stage.files.config}.log`);
    cleanup.add(() => sidecar.stop());
    await untilStatus(stage.files, 'the server', ({ servers }) =>
      servers.some(({ pids }) => pids.length === 1),
    );
    const tunnel = await stage.connect(0, 'alice');
    const hidden = await untilStatus(
      stage.files,
      'both subflows on wifi',
      ({ sessions }) => sessions[0]?.state === 'absent' && sessions[0].subflows.length === 2,
    );
    expect(hidden.sessions[0]?.subflows.map((one) => [one.path, one.subflow.remote.address])).toEqual([
      ['wifi', PUBLIC],
      ['wifi', PUBLIC],
    ]);
    const { stdout } = await execa(process.execPath, [main, 'doctor', '--config', stage.files.config], {
      reject: false,
    });
    expect(stdout).toContain(
      `2 of its subflows come from the address ${PUBLIC} (address IDs 0, 1) and are on path wifi: a NAT hides which`,
    );

    await writeConfig(stage, true);
    const told = await untilStatus(
      stage.files,
      'alice on lte',
      ({ sessions }) => sessions[0]?.state === 'obeyed' && sessions[0].current === 'lte',
    );
    expect(
      told.sessions[0]?.subflows.map(({ path, subflow }) => [path, subflow.id, subflow.ours]).sort(),
    ).toEqual([
      ['lte', 1, 'active'],
      ['wifi', 0, 'backup'],
    ]);
    const later = await execa(process.execPath, [main, 'doctor', '--config', stage.files.config], {
      reject: false,
    });
    expect(later.stdout).not.toContain('a NAT hides');
    expect(await tunnel.reconnects()).toBe(0);
  });
});
