import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { checkout } from './checkout.js';
import { guestInitramfs } from './guest/initramfs.js';
import { qemuArguments } from './guest/qemu.js';
import { shellQuote } from './shell-quote.js';

export interface GuestOptions {
  /** Path of the bzImage to boot. */
  readonly kernel: string;
  /** Program and arguments. It runs as root in the checkout, with the host's files. */
  readonly command: readonly string[];
  /** Words added to the kernel's command line, e.g. `nopat slub_debug=FZP`. */
  readonly append?: string;
  /** Path of the kernel's vmlinux, which the guest gets in `LAB_VMLINUX`. */
  readonly vmlinux?: string;
  /** Host directory that the guest can write to, in `LAB_OUT`. It is created if missing, and gets `console.log`, too. */
  readonly out?: string;
  /** MiB; 2048 by default. */
  readonly memory?: number;
  /** Number of processors; 2 by default. */
  readonly cpus?: number;
  /** Milliseconds after which QEMU is killed; ten minutes by default. */
  readonly timeoutMs?: number;
  /** Whether the command changes nothing. Then a guest that stopped is booted again, even if its command had begun. */
  readonly isReadOnly?: boolean;
  /** Process 1: the lab's init, which is quick, or the host's systemd with the command as a unit. */
  readonly init?: 'lab' | 'systemd';
  /** `tcg` emulates the processor and works everywhere; `kvm` is quick, but not every machine has it. */
  readonly accelerator?: 'tcg' | 'kvm';
  /** Called with each piece of the command's output; stdout and stderr are one stream. */
  readonly onOutput?: (chunk: string) => void;
}

export interface GuestResult {
  /** The command's exit code; 128 + N if signal N ended it. */
  readonly code: number;
  /** stdout and stderr of the command; the last 100 million characters of it. */
  readonly output: string;
  /** The kernel's log. */
  readonly consoleLog: string;
}

/**
 * Prevents OpenSSL from using AVX, SSSE3 and the extensions in CPUID's leaf 7. QEMU emulates vectors so slowly that plain
 * code is several times as quick (OPENSSL_ia32cap(3); bits 60 and 41 are AVX and SSSE3).
 */
const emulatedCrypto = { OPENSSL_ia32cap: '~0x1000020000000000:~0xffffffff' };

/** The path in the guest of the directory given as `out`. */
export const guestOut = '/run/lab-out';

/** How often a guest is booted. An emulated machine sometimes resets or stops while it boots. */
const BOOTS = 3;
/** Milliseconds within which the command must begin. A busy machine needs half a minute. */
const BOOT_MS = 180_000;

/**
 * Boots a guest on the host's root file system and runs one command in it. If the guest dies or stops before the command
 * began, it is booted again, with a message. Once the command has begun, there is no second boot unless it is read-only.
 * @throws {GuestError} without an exit code, if the guest did not boot, crashed or ran out of time.
 */
export async function runInGuest(options: GuestOptions): Promise<GuestResult> {
  if (!existsSync(options.kernel)) throw new Error(`no such kernel: ${options.kernel}`);
  for (let boot = 1; ; boot++) {
    try {
      return await bootOnce(options);
    } catch (error) {
      const canBootAgain =
        error instanceof GuestError && (!error.commandBegan || options.isReadOnly === true);
      if (!canBootAgain || boot === BOOTS) throw error;
      console.error(`booting the guest again: ${error.message}`);
    }
  }
}

async function bootOnce(options: GuestOptions): Promise<GuestResult> {
  const control = await mkdtemp(path.join(tmpdir(), 'lab-guest-'));
  try {
    if (options.out !== undefined) await mkdir(options.out, { recursive: true });
    await writeControl(control, options);
    const consoleFile = path.join(options.out ?? control, 'console.log');
    const shares = {
      control,
      ...(options.out === undefined ? {} : { out: path.resolve(options.out) }),
      ...(isHidden(checkout) ? { checkout } : {}),
    };
    const began = () => existsSync(path.join(control, 'began'));
    const output = await runQemu(
      options,
      qemuArguments(options, shares, await guestInitramfs(), consoleFile),
      began,
    );
    const consoleLog = await readFile(consoleFile, 'utf8');
    const code = await readExitCode(control);
    if (code === undefined) throw new GuestError(output, began(), options, consoleLog);
    return { code, output: output.text, consoleLog };
  } finally {
    await rm(control, { recursive: true, force: true });
  }
}

/** The guest ended without an exit code. */
export class GuestError extends Error {
  override readonly name = 'GuestError';

  readonly output: string;

  constructor(
    { text, stoppedAfterMs }: QemuOutput,
    readonly commandBegan: boolean,
    { command }: GuestOptions,
    readonly consoleLog: string,
  ) {
    const what = stoppedAfterMs === undefined ? 'died' : `was stopped after ${stoppedAfterMs} ms`;
    const when = commandBegan ? 'before the end of' : 'before it began';
    super(
      `the guest ${what} ${when}: ${command.join(' ')}\n` +
        `the end of its kernel's log:\n${consoleLog.split('\n').slice(-40).join('\n')}`,
    );
    this.output = text;
  }
}

const defaultTimeoutMs = 600_000;

interface QemuOutput {
  readonly text: string;
  /** Absent if it ended by itself. */
  readonly stoppedAfterMs?: number;
}

async function runQemu(
  { timeoutMs = defaultTimeoutMs, onOutput }: GuestOptions,
  args: readonly string[],
  commandBegan: () => boolean,
): Promise<QemuOutput> {
  const child = execa('qemu-system-x86_64', args, {
    // It stays open. If it ended, QEMU would disconnect the port, and the guest's writes would never end.
    stdin: 'pipe',
    timeout: timeoutMs,
    forceKillAfterDelay: 2000,
    reject: false,
    maxBuffer: 100_000_000,
    stripFinalNewline: false,
  });
  if (onOutput !== undefined) child.stdout.setEncoding('utf8').on('data', onOutput);
  const boot = setTimeout(() => {
    if (!commandBegan()) child.kill();
  }, BOOT_MS);
  const { stdout, stderr, timedOut, exitCode, isTerminated } = await child;
  clearTimeout(boot);
  if (timedOut) return { text: stdout, stoppedAfterMs: timeoutMs };
  if (isTerminated && !commandBegan()) return { text: stdout, stoppedAfterMs: BOOT_MS };
  // If QEMU cannot start, there is no console log.
  if (exitCode !== 0) throw new Error(`qemu-system-x86_64 failed: ${stderr}`);
  return { text: stdout };
}

async function writeControl(control: string, options: GuestOptions): Promise<void> {
  const environment: Record<string, string> = {
    LAB_CHECKOUT: checkout,
    ...(options.out === undefined ? {} : { LAB_OUT: guestOut }),
    ...(options.vmlinux === undefined ? {} : { LAB_VMLINUX: path.resolve(options.vmlinux) }),
    ...(options.accelerator === 'kvm' ? {} : emulatedCrypto),
    ...(isHidden(checkout) ? { LAB_HIDDEN_CHECKOUT: '1' } : {}),
    // These variables make tests stricter or move the cache, also in the guest.
    ...pick(process.env, ['CI', 'SUBFLOWD_TEST_OPENVPN', 'SUBFLOWD_CACHE', 'XDG_CACHE_HOME', 'LANG']),
  };
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}=${shellQuote(value)}\n`);
  await writeFile(path.join(control, 'environment'), lines.join(''));
  await writeFile(path.join(control, 'command'), `exec ${options.command.map(shellQuote).join(' ')}\n`);
  for (const script of ['init.sh', 'systemd.sh']) {
    await copyFile(path.join(checkout, 'test/lab/guest', script), path.join(control, script));
  }
}

/** Whether the guest's mounts hide the directory. */
function isHidden(directory: string): boolean {
  return ['/tmp/', '/run/', '/dev/'].some((hidden) => directory.startsWith(hidden));
}

function pick(from: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])));
}

async function readExitCode(control: string): Promise<number | undefined> {
  const file = path.join(control, 'exit');
  return existsSync(file) ? Number.parseInt(await readFile(file, 'utf8'), 10) : undefined;
}
