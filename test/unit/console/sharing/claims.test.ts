import { expect, it } from 'vitest';
import { Claims, MAX_PENDING_BYTES, MAX_PENDING } from '../../../../src/console/sharing/claims.js';

it('keeps 1,000 requests to admit a client, and drops the oldest', () => {
  const claims = new Claims<string>();
  for (let cid = 0; cid < MAX_PENDING + 2; cid++) claims.addPending(`${cid}`, [`>CLIENT:CONNECT,${cid},0`]);
  const { messages, dropped } = claims.takePending();
  expect([messages.length, dropped]).toEqual([1000, 2]);
  expect(messages[0]).toEqual(['>CLIENT:CONNECT,2,0']);
});

it('keeps 16 MiB of requests to admit a client, and drops the oldest', () => {
  const claims = new Claims<string>();
  for (let cid = 0; cid < 20; cid++) claims.addPending(`${cid}`, ['x'.repeat(MAX_PENDING_BYTES / 16)]);
  expect(claims.bytes).toBe(MAX_PENDING_BYTES);
  expect(claims.takePending().dropped).toBe(4);
});
