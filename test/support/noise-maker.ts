import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** What a user who may write to a directory can do there. A process repeats it as fast as it can. */
export const DIRECTORY_NOISE = {
  'makes and removes a file that has the name of the directory': `
    const { basename } = require('node:path');
    const file = directory + '/' + basename(directory);
    for (;;) { fs.writeFileSync(file, ''); fs.unlinkSync(file); }`,
  'makes and removes files of any name': `
    for (let n = 0; ; n = (n + 1) % 5000) {
      fs.writeFileSync(directory + '/junk' + n, '');
      if (n >= 2500) { fs.unlinkSync(directory + '/junk' + (n - 2500)); fs.unlinkSync(directory + '/junk' + n); }
    }`,
  'writes records that are too long again and again': `
    const text = Buffer.alloc(70000, 120);
    for (let n = 1; ; n = n % 3000 + 1) fs.writeFileSync(directory + '/100-192.0.2.1-' + n, text);`,
  'makes and removes records of a session that looks right': `
    for (let n = 1; ; n = n % 3000 + 1) {
      const name = directory + '/100-192.0.2.1-' + n;
      fs.writeFileSync(name, 'subflowd-event=1\\0daemon_pid=100\\0trusted_ip=192.0.2.1\\0trusted_port=' + n + '\\0common_name=noise\\0end\\0');
      // the daemon may have removed it, because the process does not exist
      fs.rmSync(name, { force: true });
    }`,
  'opens its directory to others and closes it': `
    for (;;) for (const mode of [0o777, 0o722, 0o700]) fs.chmodSync(directory, mode);`,
} as const;

export type DirectoryNoise = keyof typeof DIRECTORY_NOISE;

/** Processor time after which a noise ends by itself, so that it does not outlive a test that was killed; seconds. */
const MAX_CPU_S = 120;

/** A process that makes noise. */
export interface Noise {
  readonly isRunning: () => boolean;
  /** Ends the noise. @throws {Error} if it has ended by itself. */
  readonly stop: () => Promise<void>;
}

/** Whether a child process has not ended yet. */
export function isRunning({ exitCode, signalCode }: Pick<ChildProcess, 'exitCode' | 'signalCode'>): boolean {
  return exitCode === null && signalCode === null;
}

/** Starts a process of a user that makes noise in a directory until it is stopped. Resolves when the noise has begun. */
export async function makeNoise(kind: DirectoryNoise, directory: string, uid: number): Promise<Noise> {
  const script = `
    const fs = require('node:fs');
    const directory = ${JSON.stringify(directory)};
    process.stdout.write('begins');
    ${DIRECTORY_NOISE[kind]}`;
  const child = spawn('prlimit', [`--cpu=${MAX_CPU_S}`, process.execPath, '-e', script], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  return {
    isRunning: () => isRunning(child),
    stop: async () => {
      if (!isRunning(child))
        throw new Error(`the noise ended by itself: ${Buffer.concat(errors).toString()}`);
      child.kill('SIGKILL');
      await ended;
    },
  };
}
