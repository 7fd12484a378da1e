// Runs in a client's namespace: `web-client get URL [STOPS]` or `web-client post URL BYTES`. It prints a JSON line
// {"bytes":N} about every 100 ms. The last line also has the SHA-256 of the received bytes (for a post, the server's), and the
// seconds since the request. STOPS are numbers of bytes, separated by commas. At each of them, the client stops reading until
// it receives another SIGUSR2. With a stop at 0, it does not send the request before.
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { payload } from './payload.js';

const [method, url = '', size] = process.argv.slice(2);
const everyMs = 100;
const stops = method === 'get' ? (size ?? '').split(',').filter(Boolean).map(Number) : [];
let releases = 0;
process.on('SIGUSR2', () => (releases += 1));
// node would end while the client only waits for a signal
const running = setInterval(() => undefined, 60_000);
let began = performance.now();
let bytes = 0;
let reported = 0;

if (method === 'get') await get();
else await post(Number(size));
clearInterval(running);

async function get(): Promise<void> {
  await waitForRelease();
  began = performance.now();
  const hash = createHash('sha256');
  const outgoing = request(url);
  outgoing.end();
  for await (const chunk of await response(outgoing)) {
    hash.update(chunk as Buffer);
    count((chunk as Buffer).length);
    await waitForRelease();
  }
  print({ bytes, sha256: hash.digest('hex'), seconds: elapsed() });
}

async function waitForRelease(): Promise<void> {
  const passed = stops.filter((stop) => bytes >= stop).length;
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
