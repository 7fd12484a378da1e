import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { arrangements } from './arrangement.js';
import { accessPoints } from './isps.js';
import { goalResults } from './goals.js';
import { loadKinds, type LoadKind } from './load.js';
import { drawPlots, type Plot } from './plots.js';
import type { CrowdReport } from './report.js';
import { goalRows, rowsOf, type Rows } from './table.js';

/** Writes the report to a directory: every plot as SVG, and an `index.html` that needs no other file. */
export async function writePage(report: CrowdReport, directory: string): Promise<void> {
  const plots = await drawPlots(report);
  for (const { name, svg } of plots) await writeFile(path.join(directory, `${name}.svg`), `${svg}\n`);
  await writeFile(path.join(directory, 'index.html'), page(report, plots));
}

function page(report: CrowdReport, plots: readonly Plot[]): string {
  const [own, other] = accessPoints;
  const kinds = loadKinds.filter((kind) => report.runs.some(({ load }) => load === kind));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>subflowd: a crowd on one access point</title>
<style>
  body { font: 16px/1.5 "DejaVu Sans", Arial, sans-serif; color: #222; max-width: 1100px; margin: 2em auto; padding: 0 1em }
  table { border-collapse: collapse; margin: 1em 0; font-size: 14px }
  th, td { border: 1px solid #ccc; padding: .3em .6em; text-align: right; vertical-align: top }
  th { background: #f5f5f5; font-weight: normal } td:first-child, th:first-child { text-align: left }
  figure { margin: 2em 0 } figcaption { color: #555; font-size: 14px } svg { max-width: 100%; height: auto }
</style>
<h1>A crowd on one access point, and how to spread it</h1>
<p>There are two ISPs. Each has an access point of ${own.rateMbit} Mbit/s in each direction. Ten clients of ISP A’s VPN server
(a1 to a10) have both access points: ${own.name}, which is their own ISP’s, and ${other.name}. Two clients of ISP B’s VPN server
(b1, b2) have only ${other.name}, and use plain TCP. subflowd does not serve that server and does not see its clients.
OpenVPN ${escape(report.openvpn)}, Linux ${escape(report.kernel)}, ${escape(report.date)}, seed ${report.seed}.</p>
<dl>
${arrangements.map(({ letter, title, description }) => `<dt>(${letter}) ${title}</dt><dd>${description}</dd>`).join('\n')}
</dl>
${kinds.map((kind) => section(report, kind, plots)).join('\n')}
${goalSection(report)}
<h2>How it is measured</h2>
<p>An access point is a token bucket (tc-tbf) in each direction, with a tail-drop queue of ${own.queueMs ?? 0} ms that all its
clients share. Nothing else delays a packet. Every TCP uses ${escape(report.congestionControl)}. Load and drops are the counters of that queue towards
the clients, with the headers of Ethernet, IP, TCP and MPTCP.</p>
<p>No interface shows the <em>offered</em> load, because a tunnel’s TCP slows down. It is computed: what is sent into the
tunnels of the clients on the access point, times the bytes that one byte in a tunnel needs outside of it in the same run
(${report.runs.map(({ overhead }) => overhead.toFixed(2)).join(', ')} in the order of the tables). <em>Delivered in time</em> is the part that
had arrived by the end of the load, of everything that was sent since its start. <em>Moves</em> are those during the load.
The moves that place clients after they connect are before it.</p>
<p>An ICMP echo request goes through every tunnel ten times a second. <em>Round-trip time</em> is the mean of the clients’
percentiles; a probe without an answer counts as answered when the next answer came. The longest <em>gap</em> is the longest time
without an answer at any client. <em>Radio-seconds</em> is how long the paths of ISP A’s clients were in use, in total: a path is
in use while it carried a packet in the last second. <em>Relieved after</em> is the time from when an access point was first
offered more than it can carry until both had been below it for a second. An overload <em>could be avoided</em> if both access
points together could carry all that was offered.</p>
</html>
`;
}

function goalSection(report: CrowdReport): string {
  const goals = goalResults(report);
  return goals.length === 0 ? '' : `<h2>Goals of (d)</h2>\n${tableOf(goalRows(goals))}`;
}

function section(report: CrowdReport, kind: LoadKind, plots: readonly Plot[]): string {
  const heading = {
    constant: `Constant rate: ${report.constantMbit} Mbit/s of IP packets into each tunnel, UDP`,
    changing: `Bursts: ${report.burstMbit} Mbit/s of IP packets into each tunnel, UDP, at random moments and with a heavy tail of lengths`,
    downloads: `Downloads: ${report.downloadBytes / 1_000_000} MB by each client, at the same time`,
  }[kind];
  const figures = plots
    .filter(({ name }) => name.endsWith(`-${kind}`))
    .map(({ svg, caption }) => `<figure>${svg}<figcaption>${escape(caption)}</figcaption></figure>`);
  return [`<h2>${heading}</h2>`, tableOf(rowsOf(report, kind)), ...figures].join('\n');
}

function tableOf({ head, rows }: Rows): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
