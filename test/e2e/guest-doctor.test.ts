import { describe, expect, test } from 'vitest';
import type { Check } from '../../src/model/check.js';
import { runInGuest } from '../lab/guest.js';
import { labKernel } from '../lab/kernel.js';
import { needs } from '../lab/needs.js';

const TIMEOUT = { timeout: 500_000 };
/** Milliseconds: several times as long as it takes. */
const GUEST_MS = 160_000;
const NOPAT = expect.stringContaining('nopat') as string;
/** The schedulers of both kernels honour the priorities of both hosts (net/mptcp/protocol.c, mptcp_subflow_get_send). */
const KERNEL = {
  name: 'kernel',
  verdict: 'ok',
  found: expect.stringContaining("honours our priority and the client's") as string,
};

interface GuestResult {
  /** Doctor's checks of the memory, the kernel, and the walk through it. */
  readonly checks: readonly Check[];
  /** The error of `subflowd run`, if it was started. */
  readonly run: string;
}

/** Runs `subflowd doctor` for the backend devmem in a guest, and then `subflowd MORE` if that is given. */
async function doctor(version: string, append: string, more = ''): Promise<GuestResult> {
  const { bzImage } = await labKernel(version);
  const subflowd = 'node dist/bundle/main.js';
  const config = '--config /tmp/subflowd.ini';
  const script =
    `sed 's/^; backend = auto/backend = devmem/' openvpn-conf/subflowd.ini >/tmp/subflowd.ini; ` +
    `${subflowd} doctor --json ${config}; echo =; ${more && `${subflowd} ${more} ${config}`}`;
  const command = ['sh', '-c', script];
  const { output } = await runInGuest({
    kernel: bzImage,
    append,
    command,
    timeoutMs: GUEST_MS,
    isReadOnly: true,
  });
  const [json = '', run = ''] = output.split(/^=\n/m);
  const checks = JSON.parse(json) as Check[];
  return { checks: checks.filter(({ name }) => ['memory', 'kernel', 'proof'].includes(name)), run };
}

describe('subflowd doctor on a guest kernel', () => {
  needs('guest');

  test.each([
    ['6.1', '', 5],
    ['6.12', ' no5lvl', 4],
  ])('proves the walk through mapped memory on Linux %s%s', TIMEOUT, async (version, append, levels) => {
    const { checks } = await doctor(version, `nopat${append}`);
    expect(checks).toEqual([
      { name: 'memory', verdict: 'ok', found: expect.stringContaining('mapped') as string },
      KERNEL,
      {
        name: 'proof',
        verdict: 'ok',
        found: expect.stringMatching(
          `^the direct map at 0xff[0-9a-f]{14}, ${levels} page-table levels: the list of \\d+ tasks closes and contains PID 1$`,
        ) as string,
      },
    ]);
  });

  test('reports what byte-wise writing lacks on Linux 6.1, and how to fix it', TIMEOUT, async () => {
    const { checks } = await doctor('6.1', '');
    expect(checks).toEqual([
      {
        name: 'memory',
        verdict: 'note',
        found: expect.stringMatching(/byte-wise.*the client is not notified/) as string,
        remedy: NOPAT,
      },
      KERNEL,
      { name: 'proof', verdict: 'ok', found: expect.stringContaining('contains PID 1') as string },
    ]);
  });

  test(
    'and run report why byte-wise writing is refused on Linux 6.12, and how to fix it',
    TIMEOUT,
    async () => {
      const { checks, run } = await doctor('6.12', '', 'run --single');
      const found = expect.stringContaining('request_bkup shares its byte with map_valid') as string;
      expect(checks).toEqual([{ name: 'kernel', verdict: 'bad', found, remedy: NOPAT }]);
      expect(run).toMatch(/^subflowd: .*request_bkup shares its byte with map_valid.*\nto fix it: .*nopat/);
    },
  );
});
