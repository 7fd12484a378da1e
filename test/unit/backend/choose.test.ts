import { describe, expect, it } from 'vitest';
import { chooseBackend } from '../../../src/backend/choose.js';
import type { BackendName } from '../../../src/model/backend-name.js';

/** Chooses on a host where only these backends work, with these drawbacks. */
async function choose(usable: readonly BackendName[], drawbacks: Partial<Record<BackendName, string>> = {}) {
  const { chosen, tried } = await chooseBackend(
    (name) => Promise.resolve({ isUsable: usable.includes(name) }),
    (name) => drawbacks[name],
  );
  return { chosen: chosen?.name, tried: tried.map(({ name }) => name) };
}

describe('[kernel] backend = auto', () => {
  it('takes netlink if it works without a drawback, and then does not try devmem', async () => {
    expect(await choose(['netlink', 'devmem'])).toEqual({ chosen: 'netlink', tried: ['netlink'] });
  });

  it.each([
    ['netlink does not work', ['devmem'], {}],
    ['netlink has a drawback', ['netlink', 'devmem'], { netlink: 'net.mptcp.pm_type is not 1' }],
  ] as const)('takes devmem if %s', async (_, usable, drawbacks) => {
    expect(await choose(usable, drawbacks)).toEqual({ chosen: 'devmem', tried: ['netlink', 'devmem'] });
  });

  it('takes netlink in spite of its drawback if devmem does not work', async () => {
    const drawbacks = { netlink: 'net.mptcp.pm_type is not 1' };
    expect(await choose(['netlink'], drawbacks)).toMatchObject({ chosen: 'netlink' });
  });

  it('takes none if none works, and has tried all', async () => {
    expect(await choose([])).toEqual({ chosen: undefined, tried: ['netlink', 'devmem'] });
  });
});
