import { createCipheriv, createHash } from 'node:crypto';

/** The bytes that the web server serves. They look random, so that they cannot be compressed, and are the same every time. */
export function* payload(bytes: number, chunkBytes = 65_536): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 's'), Buffer.alloc(16));
  for (let left = bytes; left > 0; left -= chunkBytes) {
    yield cipher.update(Buffer.alloc(Math.min(left, chunkBytes)));
  }
}

/** SHA-256 of the whole payload, in hex. */
export function payloadSha256(bytes: number): string {
  const hash = createHash('sha256');
  for (const chunk of payload(bytes)) hash.update(chunk);
  return hash.digest('hex');
}
