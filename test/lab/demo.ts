// `npm run demo`: runs the paper's experiment on this machine's kernel or in a guest, draws its timeline, and prints whether
// it reached the wanted figures.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { checkout, labScript } from './checkout.js';
import { GuestError, guestOut, runInGuest } from './guest.js';
import { hostLacks } from './host.js';
import { labKernel } from './kernel.js';
import { shortcomings, WANTED_SHARE, type Report } from './report.js';
import { summary } from './summary.js';
import { drawTimeline } from './timeline.js';

interface Options {
  readonly out: string;
  readonly backend?: 'netlink' | 'devmem';
  readonly kernel?: string;
  readonly vmlinux?: string;
  readonly append: string;
  readonly bytes?: true;
  readonly size: string;
  readonly rate?: string;
  readonly share: string;
  readonly where?: true;
}

const options = new Command('demo')
  .description('The paper’s experiment: a download through OpenVPN moves to the other path and back.')
  .option('--out <directory>', 'directory for report.json, timeline.svg and the logs', 'out/demo')
  .addOption(
    new Option(
      '--backend <name>',
      'netlink: on this machine’s kernel, or in a guest with --kernel; devmem: in a guest (default: netlink if this machine can run it)',
    ).choices(['netlink', 'devmem']),
  )
  .option(
    '--kernel <bzImage>',
    'run it in a guest with this kernel (default: the lab’s kernel, which is built if needed)',
  )
  .option('--vmlinux <file>', 'the same kernel with DWARF; needed if the kernel has no BTF')
  .option('--append <words>', 'more words for the guest’s kernel command line', '')
  .option(
    '--bytes',
    'run devmem without nopat: the kernel then refuses to map memory, so single bytes are written',
  )
  .option('--size <bytes>', 'size of the download', '20000000')
  .option(
    '--rate <Mbit/s>',
    'rate of each path (default: 20 as in the paper; 3 in a guest, because its processor is emulated)',
  )
  .option(
    '--share <0 to 1>',
    'wanted least share of the payload on the new path, from one second after a switch',
    `${WANTED_SHARE}`,
  )
  .addOption(new Option('--where', 'only print where it would run: host or guest').hideHelp())
  .parse()
  .opts<Options>();

const out = path.resolve(options.out);
/** What this machine lacks to run it; undefined: nothing. */
const lack = options.backend === 'devmem' ? undefined : await hostLacks();
const needsGuest = options.kernel !== undefined || options.bytes === true || options.backend === 'devmem';
const isInGuest = needsGuest || (lack !== undefined && options.backend === undefined);
const backend = options.backend ?? (isInGuest ? 'devmem' : 'netlink');

if (options.where === true) process.stdout.write(isInGuest ? 'guest\n' : 'host\n');
else process.exitCode = (await run()) === 0 ? await concludeReport() : 1;

/** Runs the experiment. @returns its exit code. */
async function run(): Promise<number> {
  if (isInGuest) {
    if (!needsGuest)
      process.stdout.write(`runs in a guest, because this machine cannot run it: ${lack ?? ''}\n`);
    return runExperimentInGuest();
  }
  if (lack !== undefined) {
    process.stderr.write(
      `this machine cannot run it: ${lack}\nto run it in a guest: npm run demo -- --backend devmem\n`,
    );
    return 1;
  }
  const child = execa(process.execPath, experimentArguments(out), { stdio: 'inherit', reject: false });
  return (await child).exitCode ?? 1;
}

/** The script of the experiment and its options. @param directory where it writes its report and logs. */
function experimentArguments(directory: string): string[] {
  const rate = options.rate ?? (isInGuest ? '3' : '20');
  return [
    labScript('experiment'),
    ...['--out', directory, '--size', options.size, '--rate', rate, '--backend', backend],
  ];
}

/** @returns the exit code of the experiment. */
async function runExperimentInGuest(): Promise<number> {
  try {
    const layout = await makeLayout();
    const { code } = await runInGuest({
      kernel: options.kernel ?? (await labKernel()).bzImage,
      append: `${options.bytes === true ? '' : 'nopat'} ${options.append}`.trim(),
      out,
      timeoutMs: 900_000,
      command: [
        process.execPath,
        ...experimentArguments(guestOut),
        ...(layout === undefined ? [] : ['--layout', path.join(guestOut, layout)]),
      ],
      onOutput: (chunk) => process.stdout.write(chunk),
    });
    return code;
  } catch (error) {
    if (!(error instanceof GuestError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/**
 * Makes a layout if there is a vmlinux. This runs on the host, because pahole takes minutes on an emulated processor.
 * @returns the name of the layout file in `out`.
 */
async function makeLayout(): Promise<string | undefined> {
  if (options.vmlinux === undefined) return undefined;
  await mkdir(out, { recursive: true });
  const name = 'layout';
  const main = path.join(checkout, 'dist/bundle/main.js');
  const args = ['layout', '--vmlinux', options.vmlinux, '--output', path.join(out, name)];
  const { failed, stderr } = await execa(process.execPath, [main, ...args], { reject: false });
  if (failed) throw new Error(`subflowd ${args.join(' ')} failed: ${stderr}`);
  return name;
}

/** Draws the timeline, and prints the results. @returns 0 if they reach the wanted figures. */
async function concludeReport(): Promise<number> {
  const report = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as Report;
  await drawTimeline(out);
  process.stdout.write(summary(report));
  const missed = shortcomings(report, {
    bytes: Number(options.size),
    notifiesClient: options.bytes !== true,
    share: Number(options.share),
  });
  for (const shortcoming of missed) process.stdout.write(`NOT REACHED: ${shortcoming}\n`);
  process.stdout.write(`${out} contains report.json, timeline.svg, client.pcap and the logs\n`);
  return missed.length === 0 ? 0 : 1;
}
