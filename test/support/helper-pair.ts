import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Backend } from '../../src/backend/backend.js';
import { Helper } from '../../src/helper/helper.js';
import { RemoteBackend } from '../../src/helper/remote-backend.js';
import { ServerGuard } from '../../src/helper/server-guard.js';

/** A directory for a socket, which is removed at the end of the test. */
export function socketPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'subflowd-helper-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return join(directory, 'h.sock');
}

/** A helper with this backend, which touches every process. It is closed at the end of the test. */
export async function startHelper(
  socket: string,
  backend: Backend,
  notices: string[] = [],
  guard = new ServerGuard(
    [],
    () => true,
    () => true,
  ),
): Promise<Helper> {
  const helper = new Helper({
    guard,
    users: new Set([process.geteuid?.() ?? 0]),
    onNotice: (text) => notices.push(text),
    open: () => Promise.resolve({ backend, because: 'the test says so' }),
  });
  await helper.listen({ path: socket });
  onTestFinished(() => helper.close());
  return helper;
}

/** The daemon's side. @returns also what it reported, in order. */
export async function connectTo(socket: string, answerMs?: number) {
  const reported: string[] = [];
  const { backend, because } = await RemoteBackend.open({
    socket,
    wanted: { backend: 'auto', layout: 'btf' },
    onLost: (text) => reported.push(text),
    onBack: () => reported.push('back'),
    ...(answerMs !== undefined && { answerMs }),
  });
  onTestFinished(() => backend.close());
  return { backend, because, reported };
}
