import { expect, it } from 'vitest';
import { EventStream } from '../../../../src/api/events.js';
import { sendEvents } from '../../../../src/console/text/events.js';
import { switchOf } from '../steered.js';

it('clients that watch get the same lines for an event, so that the text is encoded once', () => {
  const events = new EventStream();
  const sent: (readonly string[])[] = [];
  sendEvents({ events }, (lines) => sent.push(lines));
  sendEvents({ events }, (lines) => sent.push(lines));
  events.publish(switchOf({ committedAt: 1_999 }));
  events.publish({ kind: 'stopped' });
  const line = '>MPTCP:1,SWITCH,wifi,lte,lab/alice';
  expect(sent).toEqual([[line], [line]]);
  expect(sent[0]).toBe(sent[1]);
});

it('clients that watch get a line for a client that was disconnected, so that it comes back with all its paths', () => {
  const events = new EventStream();
  const sent: string[] = [];
  sendEvents({ events }, (lines) => sent.push(...lines));
  events.publish({
    kind: 'rejoin',
    server: 'lab',
    commonName: 'alice, the first',
    paths: ['wifi', 'lte'],
    lackedMs: 300_000,
    by: '[default]',
  });
  expect(sent).toEqual([expect.stringMatching(/^>MPTCP:\d+,REJOIN,wifi lte,lab\/alice, the first$/)]);
});

it('clients that watch as JSON get the members of an event and its time in milliseconds', () => {
  const events = new EventStream();
  const sent: string[] = [];
  sendEvents({ events }, (lines) => sent.push(...lines), 'json');
  events.publish(switchOf({ committedAt: 1_999, commonName: 'a\u202e' }));
  events.publish({ kind: 'stopped' });
  const [line = '', ...rest] = sent;
  expect(rest).toEqual([]);
  expect(line).toMatch(/^>MPTCP:[ -~]+$/);
  expect(JSON.parse(line.slice('>MPTCP:'.length))).toEqual({
    time: 1_999,
    ...switchOf({ committedAt: 1_999, commonName: 'a\u202e' }),
  });
});
