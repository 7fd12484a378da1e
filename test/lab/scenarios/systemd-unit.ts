import { readdir, readFile, readlink } from 'node:fs/promises';
import { execa } from 'execa';

/** One unit of the systemd that is process 1. */
export class SystemdUnit {
  constructor(readonly name: string) {}

  /** `systemctl ...WORDS NAME`. @throws {Error} with the end of the unit's journal if it fails. */
  async systemctl(...words: readonly string[]): Promise<void> {
    const { exitCode, stderr } = await execa('systemctl', [...words, this.name], { reject: false });
    if (exitCode === 0) return;
    const journal = (await this.journal()).slice(-20).join('\n');
    throw new Error(`systemctl ${words.join(' ')} ${this.name}: ${stderr}\n${journal}`);
  }

  /** Properties of `systemctl show`, by name. */
  async show(...names: readonly string[]): Promise<Record<string, string>> {
    const { stdout } = await execa('systemctl', ['show', `--property=${names.join(',')}`, this.name]);
    return Object.fromEntries(
      stdout.split('\n').map((line) => {
        const at = line.indexOf('=');
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
  }

  async pid(): Promise<number> {
    return Number((await this.show('MainPID')).MainPID);
  }

  /** The unit's messages in the journal, from its processes and from systemd, the oldest first. */
  journal(): Promise<string[]> {
    return this.#read();
  }

  /** The same, only of this event of subflowd. */
  messages(event: string): Promise<string[]> {
    return this.#read(`SUBFLOWD_EVENT=${event}`);
  }

  async #read(...fields: readonly string[]): Promise<string[]> {
    const { stdout } = await execa('journalctl', [
      '--unit',
      this.name,
      '--output=cat',
      '--no-pager',
      ...fields,
    ]);
    return stdout.split('\n').filter((line) => line !== '');
  }
}

/** What `/proc` shows of a process in a sandbox. */
export interface Sandboxed {
  readonly exe: string;
  /** Fields of /proc/PID/status. */
  readonly status: Readonly<Record<string, string>>;
  /** What its open file descriptors refer to. */
  readonly files: readonly string[];
  /** Whether it has its own mount namespace. */
  readonly hasOwnMounts: boolean;
}

/** Reads what `/proc` shows of a process. */
export async function sandboxed(pid: number): Promise<Sandboxed> {
  const proc = `/proc/${pid}`;
  const lines = (await readFile(`${proc}/status`, 'utf8')).split('\n');
  const files = [];
  for (const fd of await readdir(`${proc}/fd`))
    files.push(await readlink(`${proc}/fd/${fd}`).catch(() => ''));
  return {
    exe: await readlink(`${proc}/exe`),
    status: Object.fromEntries(lines.map((line) => line.split(':\t', 2) as [string, string])),
    files,
    hasOwnMounts: (await readlink(`${proc}/ns/mnt`)) !== (await readlink('/proc/self/ns/mnt')),
  };
}
