// `npm run demo`: runs the experiment in a guest, draws its timeline and says whether the figures were reached.
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { checkout, labScript } from './checkout.js';
import { GuestError, guestOut, runInGuest } from './guest.js';
import { labKernel } from './kernel.js';
import { shortcomings, WANTED_SHARE, type Report } from './report.js';
import { summary } from './summary.js';
import { drawTimeline } from './timeline.js';

interface Options {
  readonly out: string;
  readonly kernel?: string;
  readonly vmlinux?: string;
  readonly bytes?: true;
  readonly size: string;
  readonly rate: string;
  readonly share: string;
}

const options = new Command('demo')
  .description('The paper’s experiment: a download through OpenVPN moves to the other path and back.')
  .option('--out <directory>', 'where report.json, timeline.svg and the logs go', 'out/demo')
  .option('--kernel <bzImage>', 'guest kernel; the lab’s own, built if needed, unless given')
  .option('--vmlinux <file>', 'the same kernel with its DWARF: one without BTF gets its layout from it')
  .option('--bytes', 'without nopat: the kernel then refuses to map memory, and single bytes are written')
  .option('--size <bytes>', 'of the download', '20000000')
  .option('--rate <Mbit/s>', 'of each path; the paper has 20, more than an emulated processor carries', '3')
  .option('--share <0 to 1>', 'least share on the new path a second after a switch', `${WANTED_SHARE}`)
  .parse()
  .opts<Options>();

const out = path.resolve(options.out);
const kernel = options.kernel ?? (await labKernel()).bzImage;
try {
  const layout = await makeLayout();
  const { code } = await runInGuest({
    kernel,
    append: options.bytes === true ? '' : 'nopat',
    out,
    timeoutMs: 900_000,
    command: [
      process.execPath,
      labScript('experiment'),
      ...['--out', guestOut, '--size', options.size, '--rate', options.rate],
      ...(layout === undefined ? [] : ['--layout', path.join(guestOut, layout)]),
    ],
    onOutput: (chunk) => process.stdout.write(chunk),
  });
  process.exitCode = code === 0 ? await conclude() : 1;
} catch (error) {
  if (!(error instanceof GuestError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

/** @returns the name of the file in `out`; made here because pahole takes minutes on an emulated processor. */
async function makeLayout(): Promise<string | undefined> {
  if (options.vmlinux === undefined) return undefined;
  await mkdir(out, { recursive: true });
  const name = 'layout';
  const main = path.join(checkout, 'dist/src/main.js');
  const args = ['layout', '--vmlinux', options.vmlinux, '--output', path.join(out, name)];
  const { failed, stderr } = await execa(process.execPath, [main, ...args], { reject: false });
  if (failed) throw new Error(`subflowd ${args.join(' ')} failed: ${stderr}`);
  return name;
}

async function conclude(): Promise<number> {
  const report = JSON.parse(await readFile(path.join(out, 'report.json'), 'utf8')) as Report;
  await drawTimeline(out);
  process.stdout.write(summary(report));
  const missed = shortcomings(report, {
    bytes: Number(options.size),
    tellsClient: options.bytes !== true,
    share: Number(options.share),
  });
  for (const one of missed) process.stdout.write(`NOT REACHED: ${one}\n`);
  process.stdout.write(`written to ${out}: report.json, timeline.svg, client.pcap and the logs\n`);
  return missed.length === 0 ? 0 : 1;
}
