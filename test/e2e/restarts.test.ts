import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bootHere } from '../lab/boot-here.js';
import { needs } from '../lab/needs.js';

needs('root', 'mptcp', 'nspawn');

/** How often the helper is killed or restarted while systemd keeps its socket. */
const RESTARTS = Number(process.env.RESTARTS ?? 8);

interface Counts {
  readonly connections: number;
  /** Those that did not get their second subflow. */
  readonly refused: number;
}

test('no client is refused its second path while the helper is killed and restarted', async () => {
  const out = await mkdtemp(path.join(tmpdir(), 'subflowd-restarts-'));
  try {
    await writeFile(path.join(out, 'restarts'), String(RESTARTS));
    await bootHere(out, 'restarts-inside.sh', ['restarts-clients.py']);
    const counts = async (name: string) => JSON.parse(await readFile(path.join(out, name), 'utf8')) as Counts;
    const kept = await counts('kept');
    expect(kept.connections).toBeGreaterThan(20 * RESTARTS);
    expect(kept.refused, await readFile(path.join(out, 'journal'), 'utf8')).toBe(0);
    // the same without the socket that systemd keeps: this is what it prevents
    expect((await counts('not-kept')).refused).toBeGreaterThan(0);
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}, 300_000);
