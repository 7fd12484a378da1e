import { DevmemBackend } from '../../src/backend/devmem.js';
import { FdTableReader } from '../../src/kernel/walk/fd-table.js';
import { openKernel } from '../../src/kernel/kernel.js';
import { Floor } from './floor.js';
import { setLocations } from './locations.js';
import type { Ground, Rival } from './switch.js';

/**
 * The paper's walk: from init_task to a connection in the middle of the server's files, with one pread for each structure and
 * one pwrite.
 */
export async function paperWalk({
  sources,
  layout,
  end,
  pid,
}: Ground): Promise<{ rival: Rival; stop: () => Promise<void> }> {
  const kernel = await openKernel(sources, { layout });
  const floor = Floor.start();
  const backend = new DevmemBackend(kernel);
  try {
    await floor.ask('open', sources.memory, 'bytes', end);
    await setLocations(
      floor,
      kernel,
      new FdTableReader(kernel.space, kernel.layout).read(kernel.tasks.find(pid)),
    );
    const { connections } = await backend.connections(pid);
    const port = connections[Math.floor(connections.length / 2)]?.remote.port ?? 0;
    await floor.ask('set', 'pid', pid);
    await floor.ask('set', 'port', ((port & 0xff) << 8) | (port >>> 8));
  } finally {
    await backend.close();
  }
  return {
    rival: {
      against: 'the paper’s walk from init_task, C++',
      atLeast: 20,
      run: (count) => floor.time('paper', count),
    },
    stop: () => floor.stop(),
  };
}
