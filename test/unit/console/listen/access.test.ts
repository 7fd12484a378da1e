import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mayUse } from '../../../../src/console/listen/access.js';
import { isListedMember } from '../../../../src/util/groups.js';
import { userOrNumber, userOf } from '../../../../src/util/accounts.js';

const NOBODY = 65534;
/** A number that no file of this host has. */
const NAMELESS = 54_321;

describe('without a password, a console on TCP admits', () => {
  it.each([
    ['root', 0, { mode: 0o600 }, true],
    ['a user whose primary group it is', NOBODY, { mode: 0o660, group: 'nogroup' }, true],
    ['no member of a group that may not write', NOBODY, { mode: 0o640, group: 'nogroup' }, false],
    ['everybody if everybody may write', NAMELESS, { mode: 0o662 }, true],
    ['no user of another group', NOBODY, { mode: 0o660, group: 'root' }, false],
    ['no user without a name', NAMELESS, { mode: 0o660, group: 'nogroup' }, false],
    ['nobody if the group does not exist', NOBODY, { mode: 0o660, group: 'no-such-group' }, false],
  ])('%s', (_who, uid, place, may) => {
    expect(mayUse(uid, place)).toBe(may);
  });

  it('members that /etc/group lists', () => {
    for (const line of readFileSync('/etc/group', 'utf8').trim().split('\n')) {
      const [, , gid, members = ''] = line.split(':');
      for (const member of members.split(',').filter(Boolean)) {
        expect(isListedMember(member, Number(gid))).toBe(true);
      }
      expect(isListedMember('', Number(gid))).toBe(false);
    }
  });
});

it('a user without a name has its number as name, and no group', () => {
  expect(userOrNumber(NAMELESS).name).toBe(String(NAMELESS));
  expect(userOf(NAMELESS)).toBeUndefined();
});
