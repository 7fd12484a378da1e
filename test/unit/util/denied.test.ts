import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const DIST = resolve(import.meta.dirname, '../../../dist/src');
/** A user number without an account on this host. */
const USER = 54_321;

let directory: string;

beforeEach(() => {
  if (!existsSync(DIST)) throw new Error(`${DIST} is not built: npm run build`);
  directory = mkdtempSync(join(tmpdir(), 'subflowd-denied-'));
  chmodSync(directory, 0o755);
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** What another user gets who reads a password file, or who writes a file of overrides: its content, or the error. */
function asOtherUser(use: 'read' | 'write', path: string): string {
  const script = `
    import { readPasswordFile } from ${JSON.stringify(join(DIST, 'util/password-file.js'))};
    import { writeFileAtomically } from ${JSON.stringify(join(DIST, 'util/atomic-file.js'))};
    const [use, path] = process.argv.slice(1);
    try { console.log(use === 'read' ? readPasswordFile(path) : writeFileAtomically(path, '', 0o600)); }
    catch (error) { console.log(error.message); }`;
  const user = [`--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--inh-caps=-all'];
  const program = [process.execPath, '--input-type=module', '--eval', script, use, path];
  return execFileSync('setpriv', [...user, ...program], { encoding: 'utf8', cwd: '/' }).trim();
}

it('names a directory that may not be written to, its owner, and how to fix it', () => {
  expect(asOtherUser('write', join(directory, 'file'))).toBe(
    `${directory}/file cannot be written: EACCES: user ${USER} may not write to ${directory}, which has owner root:root and ` +
      'mode 0755: let that user write there, or choose another path in subflowd.ini',
  );
});

it('names the target directory of a link', () => {
  const link = join(directory, 'link');
  mkdirSync(join(directory, 'real'));
  writeFileSync(join(directory, 'real/file'), '');
  symlinkSync('real/file', link);
  expect(asOtherUser('write', link)).toContain(
    `user ${USER} may not write to ${directory}/real, which has owner`,
  );
});

it('names a file that may not be read, or the directory above it that may not be searched', () => {
  const file = join(directory, 'hidden/password');
  mkdirSync(join(directory, 'hidden'));
  writeFileSync(file, 'open sesame\n', { mode: 0o640 });
  expect(asOtherUser('read', file)).toContain(
    `${file} cannot be read: EACCES: user ${USER} may not read ${file}, which has owner root:root and mode 0640: run it as root, ` +
      `or let that user read it; for the daemon: chgrp subflowd-hooks ${file} && chmod 640 ${file}`,
  );
  chmodSync(join(directory, 'hidden'), 0o700);
  expect(asOtherUser('read', file)).toContain(
    `user ${USER} may not search ${directory}/hidden, which has owner root:root and mode 0700`,
  );
  chmodSync(join(directory, 'hidden'), 0o755);
  chmodSync(file, 0o644);
  expect(asOtherUser('read', file)).toBe('open sesame');
});

it('leaves other errors as the system reports them', () => {
  expect(asOtherUser('read', join(directory, 'none'))).toBe(
    `${directory}/none cannot be read: there is no such file or directory`,
  );
});
