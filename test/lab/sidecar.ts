import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { checkout } from './checkout.js';
import type { HelperProcess } from './helper-process.js';
import type { Namespace, NamespaceProcess } from './namespace.js';

/** A line of the daemon's log that reports a switch. */
const switchEvent = z.object({
  event: z.literal('switch'),
  /** Unix time in milliseconds. */
  committedAt: z.number(),
  commonName: z.string(),
  from: z.string().nullish(),
  to: z.string(),
});
export type SwitchEvent = z.infer<typeof switchEvent>;

/** The part of `subflowd status --json` that the lab uses. */
const status = z.object({
  backend: z.object({ name: z.string(), description: z.string() }),
  sessions: z.array(
    z.object({
      session: z.object({ commonName: z.string() }),
      state: z.string(),
      primary: z.string().nullish(),
    }),
  ),
});
export type Status = z.infer<typeof status>;

export interface SidecarOptions {
  /** The compiled main.js; that of the checkout by default. */
  readonly program?: string | undefined;
  /** The helper; without one, the daemon does its work. */
  readonly helper?: HelperProcess;
}

/** `subflowd run` beside the server, and the commands that talk to it. */
export class Sidecar {
  private constructor(
    private readonly namespace: Pick<Namespace, 'start'>,
    private readonly program: string,
    private readonly config: string,
    private readonly logFile: string,
    private readonly child: NamespaceProcess,
  ) {}

  static start(
    namespace: Pick<Namespace, 'start'>,
    config: string,
    logFile: string,
    { program = path.join(checkout, 'dist/bundle/main.js'), helper }: SidecarOptions = {},
  ): Sidecar {
    const processes = helper === undefined ? ['--single'] : ['--helper', helper.socket];
    const child = namespace.start(process.execPath, [program, 'run', ...processes, '--config', config]);
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    return new Sidecar(namespace, program, config, logFile, child);
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** @returns undefined while the daemon does not answer yet. @throws {Error} with its log if it has ended. */
  async status(): Promise<Status | undefined> {
    if (this.child.exitCode !== null) throw new Error(`subflowd ended:\n${await this.log()}`);
    const { exitCode, stdout } = await this.#command(['status', '--json']);
    return exitCode === 0 ? status.parse(JSON.parse(stdout)) : undefined;
  }

  /** `subflowd primary CLIENT PATH` */
  async primary(client: string, path: string): Promise<void> {
    const { exitCode, stderr } = await this.#command(['primary', client, path]);
    if (exitCode !== 0) throw new Error(`subflowd primary ${client} ${path} failed: ${stderr}`);
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'utf8');
  }

  /** Every switch so far, oldest first. */
  async switches(): Promise<SwitchEvent[]> {
    return (await this.log()).split('\n').flatMap((line) => {
      if (!line.includes('"switch"')) return [];
      const event = switchEvent.safeParse(JSON.parse(line));
      return event.success ? [event.data] : [];
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    await this.child;
  }

  #command(args: readonly string[]): NamespaceProcess {
    return this.namespace.start(process.execPath, [this.program, ...args, '--config', this.config], 120_000);
  }
}
