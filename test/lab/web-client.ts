// Runs in a client's namespace: `web-client get URL [HOLDS]` or `web-client post URL BYTES`. Prints one JSON line
// {"bytes":N} about every 100 ms. The last line has the SHA-256 of the received bytes (for a post, by the server), and the
// seconds since the request. HOLDS are numbers of bytes, with commas. At each, reading stops until another SIGUSR2 arrives.
// A hold at 0 delays the request.
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { payload } from './payload.js';

const [method, url = '', size] = process.argv.slice(2);
const everyMs = 100;
const holds = method === 'get' ? (size ?? '').split(',').filter(Boolean).map(Number) : [];
let releases = 0;
process.on('SIGUSR2', () => (releases += 1));
// neither a signal nor a connection that is not read from keeps node running
const running = setInterval(() => undefined, 60_000);
let began = performance.now();
let bytes = 0;
let reported = 0;

if (method === 'get') await get();
else await post(Number(size));
clearInterval(running);

async function get(): Promise<void> {
  await released();
  began = performance.now();
  const hash = createHash('sha256');
  const outgoing = request(url);
  outgoing.end();
  for await (const chunk of await response(outgoing)) {
    hash.update(chunk as Buffer);
    count((chunk as Buffer).length);
    await released();
  }
  print({ bytes, sha256: hash.digest('hex'), seconds: elapsed() });
}

async function released(): Promise<void> {
  const passed = holds.filter((hold) => bytes >= hold).length;
  while (releases < passed) {
    print({ bytes });
    await once(process, 'SIGUSR2');
  }
}

async function post(total: number): Promise<void> {
  const outgoing = request(url, { method: 'POST' });
  const answered = response(outgoing);
  await pipeline(Readable.from(counted(payload(total))), outgoing);
  let text = '';
  for await (const chunk of await answered) text += String(chunk);
  print({ ...(JSON.parse(text) as object), seconds: elapsed() });
}

function* counted(chunks: Iterable<Buffer>): Generator<Buffer> {
  for (const chunk of chunks) {
    count(chunk.length);
    yield chunk;
  }
}

function response(outgoing: ReturnType<typeof request>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      if (incoming.statusCode === 200) resolve(incoming);
      else reject(new Error(`${url}: HTTP ${incoming.statusCode ?? 0}`));
    });
  });
}

function count(more: number): void {
  bytes += more;
  if (Date.now() < reported + everyMs) return;
  reported = Date.now();
  print({ bytes });
}

function elapsed(): number {
  return (performance.now() - began) / 1000;
}

function print(line: unknown): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
