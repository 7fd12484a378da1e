// `npm run demo`: runs the experiment in a guest, draws its timeline and says whether the figures were reached.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { labScript } from './checkout.js';
import { GuestError, guestOut, runInGuest } from './guest.js';
import { labKernel } from './kernel.js';
import { shortcomings, WANTED_SHARE, type Report } from './report.js';
import { summary } from './summary.js';
import { drawTimeline } from './timeline.js';

interface Options {
  readonly out: string;
  readonly kernel?: string;
  readonly bytes?: true;
  readonly size: string;
  readonly rate: string;
  readonly share: string;
}

const options = new Command('demo')
  .description('The paper’s experiment: a download through OpenVPN moves to the other path and back.')
  .option('--out <directory>', 'where report.json, timeline.svg and the logs go', 'out/demo')
  .option('--kernel <bzImage>', 'guest kernel; the lab’s own, built if needed, unless given')
  .option('--bytes', 'without nopat: the kernel then refuses to map memory, and single bytes are written')
  .option('--size <bytes>', 'of the download', '20000000')
  .option('--rate <Mbit/s>', 'of each path; the paper has 20, more than an emulated processor carries', '3')
  .option('--share <0 to 1>', 'least share on the new path a second after a switch', `${WANTED_SHARE}`)
  .parse()
  .opts<Options>();

const out = path.resolve(options.out);
const kernel = options.kernel ?? (await labKernel()).bzImage;
try {
  const { code } = await runInGuest({
    kernel,
    append: options.bytes === true ? '' : 'nopat',
    out,
    timeoutMs: 900_000,
    command: [
      process.execPath,
      labScript('experiment'),
      ...['--out', guestOut, '--size', options.size, '--rate', options.rate],
    ],
    onOutput: (chunk) => process.stdout.write(chunk),
  });
  process.exitCode = code === 0 ? await conclude() : 1;
} catch (error) {
  if (!(error instanceof GuestError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
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
