import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../../lint/rooms.js';
import { readDocument, ROOT } from './documents.js';

const page = readDocument('CONTRIBUTING.md');

function directories(of: string): string[] {
  return readdirSync(new URL(of, ROOT), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

function partUnder(heading: string): string {
  return page.split('\n## ').find((part) => part.startsWith(`${heading}\n`)) ?? '';
}

describe('the layout of CONTRIBUTING', () => {
  const listed = [...partUnder('Layout').matchAll(/^\| `([^`]+)\/`/gm)].map(([, name = '']) => name);
  const ignored = [...readDocument('.gitignore').split('\n'), '.git'].map((name) =>
    name.replace(/^\/|\/$/g, ''),
  );

  it('has a line for each directory at the top', () => {
    const top = directories('./').filter((name) => !ignored.includes(name));
    expect(listed.filter((name) => !name.includes('/')).sort()).toEqual(top.sort());
  });

  const withParts = directories('src/')
    .map((room) => `src/${room}`)
    .filter((room) => directories(`${room}/`).length > 0);

  it('is of rooms of which some have parts', () => {
    expect(withParts).toContain('src/kernel');
  });

  it.each(['src', 'test', ...withParts])('has a line for each directory of %s', (parent) => {
    const inParent = listed.filter((name) => path.dirname(name) === parent);
    const wanted = directories(`${parent}/`).map((name) => `${parent}/${name}`);
    expect(inParent.sort()).toEqual(wanted.sort());
  });
});

describe('the floors of CONTRIBUTING', () => {
  const floors = new Map<string, number>();
  for (const [, floor, rooms = ''] of partUnder('Floors').matchAll(/^\| (\d+) +\| (.*?) +\|$/gm)) {
    for (const [, room = ''] of rooms.matchAll(/`([\w.]+)`/g)) floors.set(room, Number(floor));
  }
  /** Without the parts of a room, such as `kernel/walk`. */
  const rooms = Object.keys(ROOMS).filter((room) => !room.includes('/'));

  it('have every room', () => {
    expect([...floors.keys()].filter((room) => !room.endsWith('.ts')).sort()).toEqual([...rooms].sort());
  });

  it.each(rooms)('%s imports only what is below it', (room) => {
    const allowed = new Set(ROOMS[room]?.map((each) => each.split('/')[0] ?? ''));
    allowed.delete(room);
    const notBelow = [...allowed].filter((each) => (floors.get(each) ?? Infinity) >= (floors.get(room) ?? 0));
    // doctor asks the daemon, as a command does
    expect(notBelow).toEqual(room === 'doctor' ? notBelow.filter((each) => each === 'console') : []);
  });
});
