import { expect, it } from 'vitest';
import {
  Exchanges,
  MAX_ANSWER_BYTES,
  MAX_WAITING,
  type Reply,
} from '../../../../src/openvpn/management/exchanges.js';

function exchanges() {
  const broken: string[] = [];
  const made = new Exchanges({
    send: () => undefined,
    onBroken: (reason) => broken.push(reason),
    answerMs: 60_000,
  });
  return { made, broken };
}

it('lets 2,500 commands wait for OpenVPN, answers one more immediately, and still accepts settings', () => {
  const { made } = exchanges();
  const replies: Reply[] = [];
  const ask = (text: string, isSetting = false) => {
    made.ask({ text, endings: ['line'], isSetting }, (reply) => replies.push(reply));
  };
  for (let count = 0; count < MAX_WAITING; count++) ask(`kill ${count}`);
  expect(replies).toEqual([]);
  ask('kill one more');
  expect(replies).toEqual([{ lost: '2500 commands already wait for OpenVPN' }]);
  ask('log on', true);
  expect(replies).toHaveLength(1);
  made.clear('the test is over');
  expect(replies).toHaveLength(MAX_WAITING + 2);
});

it('accepts an answer of 32 MiB, and closes the connection at a longer one', () => {
  const { made, broken } = exchanges();
  made.ask({ text: 'status 3', endings: ['block'] }, () => undefined);
  const line = 'x'.repeat((1 << 20) - 1);
  for (let bytes = 0; bytes < MAX_ANSWER_BYTES; bytes += 1 << 20) made.push(line);
  expect(broken).toEqual([]);
  made.push('');
  expect(broken).toEqual(['its answer to "status 3" is longer than 33554432 bytes']);
  made.clear('the test is over');
});
