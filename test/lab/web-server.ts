// Runs in the web server's namespace. To GET /N it answers with N bytes of the payload, with ?kbit=K at most at that rate in
// kbit/s. To POST it answers with the size and the SHA-256 of the body.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { payload } from './payload.js';

const port = Number(process.argv[2]);
const MAX_BYTES = 1_000_000_000;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    // a client may disconnect at any time
    response.destroy(error instanceof Error ? error : undefined);
  });
});
server.listen(port, '0.0.0.0', () => process.stdout.write('listening\n'));
process.once('SIGTERM', () => process.exit(0));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://web');
  if (request.method === 'POST') {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      hash.update(chunk);
    }
    response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
    return;
  }
  const bytes = Number(url.pathname.slice(1));
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MAX_BYTES) {
    response.writeHead(404).end(`the path must be a number of bytes, at most ${MAX_BYTES}\n`);
    return;
  }
  response.writeHead(200, { 'content-length': bytes, 'content-type': 'application/octet-stream' });
  const kbit = Number(url.searchParams.get('kbit') ?? 0);
  const chunks = kbit > 0 ? paced(payload(bytes, 4096), kbit) : payload(bytes);
  await pipeline(Readable.from(chunks), response);
}

async function* paced(chunks: Iterable<Buffer>, kbit: number): AsyncGenerator<Buffer> {
  const start = Date.now();
  let sent = 0;
  for (const chunk of chunks) {
    const due = start + (sent * 8) / kbit;
    if (due > Date.now()) await sleep(due - Date.now());
    sent += chunk.length;
    yield chunk;
  }
}
