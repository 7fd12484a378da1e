import { Command, InvalidArgumentError, Option } from 'commander';
import { GuestError, runInGuest, type GuestOptions } from './guest.js';
import { defaultKernelVersion, labKernel } from './kernel.js';

interface Options {
  readonly kernel?: string;
  readonly vmlinux?: string;
  readonly version: string;
  readonly append: string;
  readonly memory: number;
  readonly cpus: number;
  readonly timeout: number;
  readonly out?: string;
  readonly init: 'lab' | 'systemd';
  readonly accel: 'tcg' | 'kvm';
}

const program = new Command('lab')
  .description(
    'Runs a command in a QEMU guest that uses this machine’s root file system. Exits with the exit code of the command.',
  )
  .argument('<command...>', 'program and arguments, run as root in the checkout')
  .option('--kernel <bzImage>', 'kernel to boot (default: the lab’s kernel, which is built if needed)')
  .option('--vmlinux <file>', 'the same kernel with symbols, for the guest as LAB_VMLINUX')
  .option('--version <version>', 'version of the lab’s kernel', defaultKernelVersion)
  .option('--append <words>', 'words for the kernel’s command line, e.g. "nopat slub_debug=FZP"', '')
  .option('--memory <MiB>', 'memory of the guest', positive, 2048)
  .option('--cpus <n>', 'processors of the guest', positive, 2)
  .option('--timeout <seconds>', 'the guest is stopped after this time', positive, 600)
  .option('--out <directory>', 'directory that the guest can write to, as LAB_OUT; console.log goes there')
  .addOption(new Option('--init <who>', 'what runs as process 1').choices(['lab', 'systemd']).default('lab'))
  .addOption(new Option('--accel <how>', 'how QEMU runs the guest').choices(['tcg', 'kvm']).default('tcg'))
  .passThroughOptions()
  .parse();

const options = program.opts<Options>();
const kernel = options.kernel === undefined ? await labKernel(options.version) : { bzImage: options.kernel };
const vmlinux = options.vmlinux ?? ('vmlinux' in kernel ? kernel.vmlinux : undefined);
try {
  const { code } = await runInGuest({
    kernel: kernel.bzImage,
    command: program.args,
    append: options.append,
    memory: options.memory,
    cpus: options.cpus,
    timeoutMs: options.timeout * 1000,
    init: options.init,
    accelerator: options.accel,
    ...(vmlinux === undefined ? {} : { vmlinux }),
    ...(options.out === undefined ? {} : { out: options.out }),
    onOutput: (chunk) => process.stdout.write(chunk),
  } satisfies GuestOptions);
  process.exitCode = code;
} catch (error) {
  if (!(error instanceof GuestError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 125;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value <= 0) throw new InvalidArgumentError('not a whole number above 0');
  return value;
}
