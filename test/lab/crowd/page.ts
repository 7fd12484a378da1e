import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { arrangements } from './arrangement.js';
import { accessPoints } from './isps.js';
import { loadKinds, type LoadKind } from './load.js';
import { drawPlots, type Plot } from './plots.js';
import type { CrowdReport } from './report.js';
import { rowsOf, type Rows } from './table.js';

/** Draws the report: every plot as SVG, and `index.html`, which needs no other file. */
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
<h1>A crowd on one access point, and what spreads it</h1>
<p>Two ISPs, each with an access point of ${own.rateMbit} Mbit/s each way. Ten clients of ISP A’s VPN server (a1 to a10) have
both: ${own.name}, their own ISP’s, and ${other.name}. Two clients of ISP B’s VPN server (b1, b2) have ${other.name} alone, by
plain TCP; subflowd does not serve theirs, and does not see them. OpenVPN ${escape(report.openvpn)}, Linux
${escape(report.kernel)}, ${escape(report.date)}, seed ${report.seed}.</p>
<dl>
${arrangements.map(({ letter, title, description }) => `<dt>(${letter}) ${title}</dt><dd>${description}</dd>`).join('\n')}
</dl>
${kinds.map((kind) => section(report, kind, plots)).join('\n')}
<h2>How it is measured</h2>
<p>An access point is a token bucket (tc-tbf) with a queue of ${own.queueMs ?? 0} ms that drops its tail, one each way for all that use it; nothing
else delays a packet. Every TCP is ${escape(report.congestionControl)}. Load and drops are that queue’s own counters, towards the clients, with Ethernet, IP, TCP and
MPTCP headers. A tunnel’s TCP backs off, so that what is <em>offered</em> shows at no interface: it is what is sent into
the tunnels of the clients on the access point, times what a byte in a tunnel costs outside it in the same run
(${report.runs.map(({ overhead }) => overhead.toFixed(2)).join(', ')} in the order of the tables). Delivered in time is what
had come by the end of the load, of all that was sent from its start on. Moves are those during the load; clients
that connect are put in their places before it.</p>
</html>
`;
}

function section(report: CrowdReport, kind: LoadKind, plots: readonly Plot[]): string {
  const heading =
    kind === 'constant'
      ? `Constant rate: ${report.constantMbit} Mbit/s of IP packets into each tunnel, UDP`
      : `Downloads: ${report.downloadBytes / 1_000_000} MB by each client, at once`;
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
