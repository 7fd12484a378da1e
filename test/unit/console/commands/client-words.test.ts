import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../../../../src/console/commands/commands.js';
import { client, Steered } from '../steered.js';

let directory: string;
let daemon: Steered;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'subflowd-'));
  daemon = new Steered(join(directory, 'overrides.json'), []);
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function lines(command: string): Promise<readonly string[]> {
  return (await runCommand(daemon, command)).lines;
}

describe('CLIENT', () => {
  const addressed = (name: string, server: string, cid: number, address: string, virtual: string) => {
    const known = client(name, { server, remotes: [{ address, port: 1000 }] });
    return { ...known, session: { ...known.session, cid, virtual: [virtual, `fd00::${virtual.slice(-1)}`] } };
  };

  beforeEach(() => {
    daemon.clients = [
      addressed('alice', 'home', 0, '192.0.2.1', '10.8.0.2'),
      addressed('bob', 'home', 1, '192.0.2.2', '10.8.0.3'),
      addressed('1', 'office', 7, '192.0.2.2', '10.8.0.2'),
    ];
  });

  it.each([
    ['alice', 'home/alice'],
    ['0', 'home/alice'],
    ['192.0.2.1', 'home/alice'],
    ['192.0.2.1:1000', 'home/alice'],
    ['::ffff:192.0.2.1', 'home/alice'],
    ['10.8.0.3', 'home/bob'],
    ['FD00:0::3', 'home/bob'],
    ['home/fd00::3', 'home/bob'],
    ['home/1', 'home/bob'],
    ['office/1', 'office/1'],
    ['office/10.8.0.2', 'office/1'],
    ['7', 'office/1'],
  ])('%s means %s', async (word, key) => {
    expect((await lines(`mptcp primary ${word} lte`))[0]).toContain(`SUCCESS: ${key}: `);
  });

  it.each([
    ['1', 'home/bob', 'office/1'],
    ['10.8.0.2', 'home/alice', 'office/1'],
    ['192.0.2.2:1000', 'home/bob', 'office/1'],
  ])('%s means two', async (word, one, other) => {
    for (const command of ['status', 'explain', 'primary'])
      expect(await lines(`mptcp ${command} ${word}${command === 'primary' ? ' lte' : ''}`)).toEqual([
        `ERROR: "${word}" means several clients: use "${one}" or "${other}"`,
      ]);
  });

  it.each([
    // a virtual address, with and without its server
    ['10.8.0.9', 'office/10.8.0.9', '"office/5" or "office/carol"'],
    ['10.8.0.9', '10.8.0.9', '"office/5" or "office/carol"'],
    // a server and a common name
    ['office/carol', 'office/carol', '"office/6" or "office/office/carol"'],
    // a CID
    ['6', 'office/6', '"office/5" or "office/carol"'],
    // a real address, with and without its port
    ['192.0.2.9', 'office/192.0.2.9', '"office/5" or "office/carol"'],
    ['192.0.2.9:1000', '192.0.2.9:1000', '"office/5" or "office/carol"'],
  ])(
    'with a client named %s, %s means two, and the message has an unambiguous word for each',
    async (name, word, words) => {
      daemon.clients = [
        addressed(name, 'office', 5, '192.0.2.8', '10.8.0.8'),
        addressed('carol', 'office', 6, '192.0.2.9', '10.8.0.9'),
      ];
      for (const command of ['status', 'explain', 'primary'])
        expect(await lines(`mptcp ${command} ${word}${command === 'primary' ? ' lte' : ''}`)).toEqual([
          `ERROR: "${word}" means several clients: use ${words}`,
        ]);
      for (const said of words.split(' or '))
        expect((await lines(`mptcp explain ${said}`)).at(-1)).toBe('END');
    },
  );

  it('is listed by another word if its name is unsafe in a shell or not printable', async () => {
    daemon.clients = [
      addressed('$(reboot)', 'office', 1, '192.0.2.8', '10.8.0.8'),
      addressed('al\u202eice', 'office', 2, '192.0.2.9', '10.8.0.8'),
      addressed('-n', 'office', 3, '192.0.2.9', '10.8.0.8'),
    ];
    expect(await lines('mptcp status 10.8.0.8')).toEqual([
      'ERROR: "10.8.0.8" means several clients: use "office/1" or "office/-n" or "office/2"',
    ]);
  });

  it('is listed as =SERVER/COMMON NAME if it has left and has no other unambiguous word', async () => {
    daemon.clients = [addressed('10.8.0.8', 'office', 1, '192.0.2.8', '10.8.0.7')];
    await lines('mptcp primary 10.8.0.8 lte');
    daemon.clients = [addressed('carol', 'office', 2, '192.0.2.9', '10.8.0.8')];
    expect(await lines('mptcp primary office/10.8.0.8 auto')).toEqual([
      'ERROR: "office/10.8.0.8" means several clients: use "=office/10.8.0.8" or "office/carol"',
    ]);
    expect(await lines('mptcp primary =office/10.8.0.8 auto')).toEqual([
      'SUCCESS: office/10.8.0.8: not connected now',
    ]);
  });

  it('is listed ten times at most if a word means more', async () => {
    daemon.clients = Array.from({ length: 200 }, (_, cid) =>
      addressed(`c${String(cid).padStart(3, '0')}`, 'office', cid, '192.0.2.8', '10.8.0.8'),
    );
    const [answer] = await lines('mptcp status 10.8.0.8');
    expect(answer).toMatch(/: use "office\/c000" or .* or "office\/c009", or 190 more$/);
  });

  it.each(['-n', '--', 'json', '--json'])('is a client after --, even if its name is %s', async (name) => {
    daemon.clients = [addressed(name, 'office', 1, '192.0.2.8', '10.8.0.8')];
    expect((await lines(`mptcp status -- ${name}`))[1]).toContain(`session ${name}: `);
    expect((await lines(`mptcp explain -- ${name}`))[0]).toContain(`session ${name}: `);
    expect((await lines(`mptcp primary -- ${name} lte`))[0]).toContain(`SUCCESS: office/${name}: `);
  });

  it('must follow --', async () => {
    expect(await lines('mptcp status --')).toEqual([
      'ERROR: mptcp status takes no parameter, a CLIENT, or json',
    ]);
    expect(await lines('mptcp explain --')).toEqual([
      'ERROR: mptcp explain takes a CLIENT, or a CLIENT and json',
    ]);
    expect(await lines('mptcp primary -- lte')).toEqual([
      'ERROR: mptcp primary takes a CLIENT and a PATH, or a CLIENT and auto',
    ]);
  });

  it('means a client of the server at the console of a server', async () => {
    const at = (server: string) => runCommand(daemon, 'mptcp primary 1 lte', { server });
    expect((await at('home')).lines[0]).toContain('SUCCESS: home/bob: ');
    expect((await at('office')).lines[0]).toContain('SUCCESS: office/1: ');
  });
});
