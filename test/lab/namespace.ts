import { randomBytes } from 'node:crypto';
import { execa } from 'execa';

/** A program that runs in a namespace. Awaiting it never throws. */
export type NamespaceProcess = ReturnType<typeof start>;

/** The namespace that the lab itself runs in. */
export const hostNamespace = { start };

/** A network namespace that the lab creates. */
export class Namespace {
  private constructor(readonly name: string) {}

  /** @param role the readable part of its name, such as `server` or `client1`. A random suffix follows. */
  static async create(role: string): Promise<Namespace> {
    const namespace = new Namespace(`subflowd-${role}-${randomBytes(3).toString('hex')}`);
    await execa('ip', ['netns', 'add', namespace.name]);
    await namespace.ip(['link set lo up']);
    return namespace;
  }

  /** Runs `ip` commands in one process. @param family needed only for rules. */
  async ip(commands: readonly string[], family: 4 | 6 = 4): Promise<void> {
    const options = family === 6 ? ['-6'] : [];
    await execa('ip', [...options, '-n', this.name, '-batch', '-'], { input: commands.join('\n') });
  }

  async tc(commands: readonly string[]): Promise<void> {
    await execa('tc', ['-n', this.name, '-batch', '-'], { input: commands.join('\n') });
  }

  async sysctl(settings: Readonly<Record<string, number | string>>): Promise<void> {
    if (Object.keys(settings).length === 0) return;
    const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    await this.run('sysctl', ['-q', ...words]);
  }

  /** @throws {ExecaError} if the program fails. */
  run(program: string, args: readonly string[]) {
    return execa('ip', ['netns', 'exec', this.name, program, ...args]);
  }

  /**
   * Starts a program. The child's PID is that of the program, because `ip netns exec` becomes the program.
   * @param timeoutMs milliseconds after which it is killed; 0 means never.
   */
  start(program: string, args: readonly string[], timeoutMs = 0) {
    return start('ip', ['netns', 'exec', this.name, program, ...args], timeoutMs);
  }

  async remove(): Promise<void> {
    await execa('ip', ['netns', 'del', this.name]);
  }
}

function start(program: string, args: readonly string[], timeoutMs = 0) {
  return execa(program, args, { stdin: 'ignore', reject: false, timeout: timeoutMs });
}
