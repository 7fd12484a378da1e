import { describe, expect, it } from 'vitest';
import { readQuickCommand } from '../../src/quick-command.js';

const FILE = '/etc/subflowd/subflowd.ini';

describe('readQuickCommand', () => {
  it.each([
    [['status'], { configFile: FILE, line: 'mptcp status ', isJson: false }],
    [['status', '--json', '-c', 'a.ini'], { configFile: 'a.ini', line: 'mptcp status json', isJson: true }],
    [['status', 'json'], { configFile: FILE, line: 'mptcp status -- json', isJson: false }],
    [['--config', 'a.ini'], undefined],
    [
      ['explain', 'Bob "B"', '--config', 'a.ini'],
      { configFile: 'a.ini', line: 'mptcp explain "Bob \\"B\\""', isJson: false },
    ],
    [['primary', 'alice', 'lte'], { configFile: FILE, line: 'mptcp primary alice lte', isJson: false }],
    [['paths', '--json'], { configFile: FILE, line: 'mptcp paths json', isJson: true }],
    [['explain', '--json', 'alice'], { configFile: FILE, line: 'mptcp explain alice json', isJson: true }],
    [['rules', 'reload'], { configFile: FILE, line: 'mptcp rules reload', isJson: false }],
  ])('reads %j', (words, expected) => {
    expect(readQuickCommand(words)).toEqual(expected);
  });

  it.each([
    [[]],
    [['run']],
    [['constructor']],
    [['status', '--help']],
    [['status', '--jsno']],
    [['status', 'alice', 'bob']],
    [['status', 'alice', '--json']],
    [['status', '--', '-n']],
    [['status', '--config=a.ini']],
    [['status', '-c']],
    [['status', '-c', '--json']],
    [['rules', 'relaod']],
    [['rules', 'reload', '--json']],
    [['primary', 'alice', 'lte', '--json']],
    [['explain']],
    [['primary', 'alice']],
    [['primary', 'alice\nhelp', 'lte']],
  ])('leaves %j to the full command line', (words) => {
    expect(readQuickCommand(words)).toBeUndefined();
  });
});
