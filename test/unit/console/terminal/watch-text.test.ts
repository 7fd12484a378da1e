import { afterEach, beforeEach, expect, it } from 'vitest';
import { watchText } from '../../../../src/console/terminal/watch-text.js';

let zone: string | undefined;
beforeEach(() => {
  zone = process.env.TZ;
  process.env.TZ = 'Asia/Tokyo';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

it.each([
  ['1795861434,SWITCH,wifi,lte,lab/alice', '2026-11-28 19:23:54 lab/alice: from wifi to lte'],
  ['1795861434,SWITCH,,lte,lab/a, b', '2026-11-28 19:23:54 lab/a, b: to lte'],
  [
    '1795861434,SUBFLOW,ADDED,lte,192.0.2.1:4711,backup,active,lab/alice',
    "2026-11-28 19:23:54 lab/alice: subflow added on lte, from 192.0.2.1:4711; our priority backup, the client's active",
  ],
  [
    '1795861434,REJOIN,wifi lte,lab/alice',
    '2026-11-28 19:23:54 lab/alice: disconnected while idle, so that it comes back with wifi lte',
  ],
  ['1795861434,FUTURE,x,lab/alice', '1795861434,FUTURE,x,lab/alice'],
  ['1795861434,constructor,x', '1795861434,constructor,x'],
  ['soon,SWITCH,wifi,lte,lab/alice', 'soon,SWITCH,wifi,lte,lab/alice'],
  ['1795861434,SWITCH,wifi', '1795861434,SWITCH,wifi'],
  ['', ''],
])('%s is shown on a terminal as %s', (line, sentence) => {
  expect(watchText(line)).toBe(sentence);
});
