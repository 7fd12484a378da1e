import { expect, it } from 'vitest';
import { complete } from '../../../../src/console/terminal/completion.js';
import { splitWords } from '../../../../src/util/words.js';
import { client } from '../steered.js';

const names = ['alice', 'alan', 'Bob "The Builder"', '-n', 'json', '--', 'evil\u202e', '10.8.0.9'];
const known = {
  sessions: [
    ...names.map((name, index) => ({
      ...client(name, { remotes: [{ address: '192.0.2.1', port: 1000 + index }] }).session,
      virtual: ['10.8.0.9'],
    })),
    client('twin', { server: 'home', remotes: [{ address: '192.0.2.2', port: 1 }] }).session,
    client('twin', { server: 'work', remotes: [{ address: '192.0.2.2', port: 2 }] }).session,
  ],
  paths: ['wifi', 'lte'],
};
const ask = () => Promise.resolve(known);

it.each([
  ['mptcp explain ali', 'mptcp explain alice '],
  ['mptcp primary Bo', 'mptcp primary "Bob \\"The Builder\\"" '],
  ['mptcp primary "Bob \\"Th', 'mptcp primary "Bob \\"The Builder\\"" '],
  ['mptcp primary Bob\\ ', 'mptcp primary "Bob \\"The Builder\\"" '],
  ['mptcp primary -n', 'mptcp primary -n '],
  ['mptcp primary -- ali', 'mptcp primary -- alice '],
  ['mptcp primary "Bob \\"The Builder\\"" l', 'mptcp primary "Bob \\"The Builder\\"" lte '],
  ['mptcp primary -n au', 'mptcp primary -n auto '],
  ['mptcp prim', 'mptcp primary '],
  ['mptcp claim au', 'mptcp claim auth '],
  ['mptcp release q', 'mptcp release questions '],
  ['mptcp watch o', 'mptcp watch off '],
  ['mptcp rules r', 'mptcp rules reload '],
  ['mptcp status js', 'mptcp status json '],
  ['load', 'load-stats '],
])('completes %s to %s', async (line, completed) => {
  const [fit, typed] = await complete(line, ask);
  expect(fit).toHaveLength(1);
  expect(line.slice(0, line.length - typed.length) + (fit[0] ?? '')).toBe(completed);
});

it('offers another name of a client if its common name is not printable or not unique', async () => {
  const [words] = await complete('mptcp explain ', ask);
  expect(words.map((word) => splitWords(word)[0])).toEqual([
    'alice',
    'alan',
    'Bob "The Builder"',
    '-n',
    'lab/json',
    'lab/--',
    'lab/192.0.2.1:1006',
    'lab/192.0.2.1:1007',
    'home/twin',
    'work/twin',
  ]);
});

it.each(['mptcp status alice x', 'mptcp primary alice lte x', 'mptcp claim auth x', 'mptcp help x'])(
  'offers nothing after %j',
  async (line) => {
    expect(await complete(line, ask)).toEqual([[], 'x']);
  },
);
