import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { checkout, labScript } from '../lab/checkout.js';
import type { Report } from '../lab/report.js';

/** The wanted least share of the payload on the new path after a switch. */
export const SHARE = 0.9;

/** Runs the demo with these arguments and checks its output and files. @param notifies whether it sends MP_PRIO. */
export async function demo(
  args: readonly string[],
  backend: Report['backend'],
  kernel: RegExp,
  notifies: boolean,
): Promise<Report> {
  const out = await mkdtemp(path.join(tmpdir(), 'subflowd-demo-'));
  try {
    const { exitCode, all } = await execa(process.execPath, [labScript('demo'), '--out', out, ...args], {
      cwd: checkout,
      all: true,
      reject: false,
    });
    // The demo checks the figures itself: shares, hash, reconnects, MP_PRIO and counters.
    expect(exitCode, all).toBe(0);
    const report = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as Report;
    expect(report).toMatchObject({
      backend,
      kernel: expect.stringMatching(kernel) as string,
      openvpn: expect.stringMatching(/^2\.\d/) as string,
      transfer: { bytes: 20_000_000, sha256Matches: true, reconnects: 0 },
      trouble: { server: {}, client: {} },
    });
    expect(report.writes.includes('the client is not notified')).toBe(!notifies);
    expect(report.switches.map(({ from, to, by }) => [from, to, by])).toEqual([
      ['wifi', 'lte', 'file'],
      ['lte', 'wifi', 'command'],
    ]);
    for (const one of report.switches) {
      expect(one.requestedMs).toBeLessThan(one.committedMs);
      expect(one.shareToClientAfter1s).toBeGreaterThanOrEqual(SHARE);
      expect(one.mpPrioReceived).toBe(one.mpPrioSent);
      if (!notifies) continue;
      expect(one.shareOnNewPathAfter1s).toBeGreaterThanOrEqual(SHARE);
      expect(one.mpPrioSent).toBeGreaterThan(0);
    }
    // The paper's figures 8 and 9, from tcpdump at the client: one address before the switch, the other after it.
    expect(all).toMatch(
      /before the switch from wifi to lte:\n(.*\n){0,5} +[\d.]+ wifi .*\b192\.168\.100\.2\.\d+[^]*?\none second after it:\n(.*\n){0,5} +[\d.]+ lte .*\b192\.168\.200\.2\.\d+/,
    );
    expect(await readFile(path.join(out, 'timeline.svg'), 'utf8')).toMatch(/^<svg/);
    return report;
  } finally {
    await rm(out, { recursive: true });
  }
}
