import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { MAX_ACCOUNTS_FILE_BYTES } from '../../../src/util/accounts.js';
import { MAX_ID_TRIES } from '../../../src/backend/netlink/announcer.js';
import { MAX_QUEUED } from '../../../src/backend/netlink/subflow-closer.js';
import { MAX_DESCRIPTORS } from '../../../src/backend/netlink/descriptors.js';
import * as tally from '../../../src/backend/netlink/excess-reporter.js';
import { MAX_PORTS } from '../../../src/backend/netlink/port-filter.js';
import { MAX_SECTIONS, SECTION_LIMITS } from '../../../src/config/limits.js';
import { MAX_LINES } from '../../../src/config/lines.js';
import { MAX_FILE_BYTES as MAX_INI_BYTES } from '../../../src/config/config-text.js';
import { MAX_MESSAGE_LENGTH, MAX_PROBLEMS } from '../../../src/config/problem-list.js';
import { MAX_ANNOUNCED } from '../../../src/config/announce.js';
import { MAX_ADDRESS_IDS, sections } from '../../../src/config/sections.js';
import { MAX_SOCKET_PATH_BYTES } from '../../../src/config/absolute-path.js';
import { MAX_COMMAND_BYTES } from '../../../src/console/sharing/multi-line-command.js';
import * as claims from '../../../src/console/sharing/claims.js';
import * as client from '../../../src/console/listen/client-connection.js';
import { MAX_NAMED_CLIENTS } from '../../../src/console/common/client-words.js';
import { MAX_LINE_BYTES as MAX_WATCHED_LINE_BYTES } from '../../../src/console/terminal/follow.js';
import { MAX_HISTORY_LINES, MAX_HISTORY_BYTES } from '../../../src/console/terminal/history.js';
import { SLOT_LIMITS } from '../../../src/console/listen/client-slots.js';
import { TRY_LIMITS } from '../../../src/console/listen/password-tries.js';
import { MAX_TRIES } from '../../../src/console/listen/password.js';
import { MAX_REQUESTED_LINES } from '../../../src/console/sharing/setting-commands.js';
import { MAX_UNANSWERED } from '../../../src/console/sharing/settings.js';
import { MAX_TEST_LINES } from '../../../src/console/sharing/command-dispatcher.js';
import { MAX_ANSWER_BYTES as MAX_DAEMON_ANSWER_BYTES } from '../../../src/console/terminal/talk.js';
import { MAX_LEAVING } from '../../../src/console/listen/rejector.js';
import { UNREAD_LIMITS } from '../../../src/console/listen/unread.js';
import { LOGIN_LIMITS } from '../../../src/console/listen/pending-logins.js';
import { MAX_NAMED_SOURCES } from '../../../src/console/listen/wrong-passwords.js';
import { MAX_PROBLEMS as MAX_PROBLEMS_OF_PROCESS } from '../../../src/control/observe.js';
import * as overrides from '../../../src/control/overrides-file.js';
import { MAX_FILE_BYTES as MAX_QUOTAS_BYTES } from '../../../src/control/quota-file.js';
import * as quotas from '../../../src/control/quota-ledger.js';
import { MIN_WITHOUT_SESSION } from '../../../src/control/subflow-limits.js';
import { MAX_CONFIG_BYTES } from '../../../src/doctor/hooks.js';
import { MAX_PEERS } from '../../../src/doctor/servers.js';
import { ALLOWED } from '../../../src/helper/daemon-connection.js';
import { ANSWER_MS as HELPER_ANSWER_MS } from '../../../src/helper/helper-link.js';
import { BOUNDS } from '../../../src/helper/messages.js';
import { MAX_MEMBERS, MAX_NAME_BYTES } from '../../../src/kernel/layout/btf.js';
import { MAX_FDS } from '../../../src/kernel/walk/fd-table.js';
import { MAX_FILE_BYTES as MAX_LAYOUT_BYTES } from '../../../src/kernel/layout/layout-file.js';
import { MAX_NODES } from '../../../src/kernel/walk/subflow-lists.js';
import { MAX_SYSTEM_MAP_BYTES } from '../../../src/kernel/layout/make-layout.js';
import { MAX_TASKS } from '../../../src/kernel/walk/task.js';
import { MAX_SECTION_BYTES } from '../../../src/kernel/layout/vmlinux.js';
import {
  MAX_COMMAND_LINE_BYTES,
  MAX_MULTI_LINE_BYTES,
} from '../../../src/openvpn/management/command-line.js';
import { BETWEEN_REJOINS_MS, MAX_REJOINS_PER_HOUR } from '../../../src/steering/rejoin.js';
import { MAX_EVENTS } from '../../../src/util/watch-throttle.js';
import * as directory from '../../../src/openvpn/records/directory-problems.js';
import { MAX_USERS } from '../../../src/openvpn/records/user-directory-list.js';
import { MAX_PROCESSES } from '../../../src/openvpn/records/process-limit.js';
import { MAX_ANSWER_BYTES, MAX_WAITING } from '../../../src/openvpn/management/exchanges.js';
import { ANSWER_MS, GREETING_MS } from '../../../src/openvpn/management/management.js';
import { MAX_LINE_BYTES } from '../../../src/openvpn/management/connection.js';
import { MAX_MESSAGE_BYTES } from '../../../src/openvpn/management/message-reader.js';
import { MAX_ENTRIES, UNFINISHED_MS } from '../../../src/openvpn/records/record-files.js';
import { MAX_RECORD_BYTES } from '../../../src/openvpn/records/record.js';
import { MAX_SESSIONS, MAX_UNREADABLE } from '../../../src/openvpn/management/status.js';
import { LIMITS as DIRECTORY_LIMITS } from '../../../src/openvpn/records/user-directory.js';
import { MAX_PASSWORD_FILE_BYTES } from '../../../src/util/password-file.js';
import { MAX_OPEN } from '../../../src/util/problems.js';
import { EVENT_MS, MAX_REPORTS } from '../../../src/api/reports.js';

const ROOT = new URL('../../../', import.meta.url);
const { CLIENT_LIMITS } = client;

/** @param kind how the name of the kind of section begins. */
function maxSections(kind: string): number {
  return SECTION_LIMITS.find(({ what }) => what.startsWith(kind))?.most ?? 0;
}

/** `kMaxEntries` of the plugin, which is C. */
function maxEntriesOfPlugin(): number {
  const header = readFileSync(new URL('native/plugin/events-directory.h', ROOT), 'utf8');
  return Number(/kMaxEntries = (\d+)/.exec(header)?.[1]);
}

/** The limits in the source, by the first cell of the row in docs/limits.md. Bytes, milliseconds, or a number. */
const VALUES: Readonly<Record<string, number>> = {
  'Size of `subflowd.ini`': MAX_INI_BYTES,
  'Lines of it that are neither empty nor a comment': MAX_LINES,
  Sections: MAX_SECTIONS,
  '`[openvpn NAME]` sections': maxSections('[openvpn'),
  '`[path NAME]` sections': maxSections('[path'),
  '`[client GLOB]` sections with `*` or `?`': maxSections('[client'),
  'Addresses in `announce`': MAX_ANNOUNCED,
  'IDs in `address-id`': MAX_ADDRESS_IDS,
  'Mistakes that are reported one by one': MAX_PROBLEMS,
  'Characters of one such report': MAX_MESSAGE_LENGTH,
  'Bytes of a unix socket’s path': MAX_SOCKET_PATH_BYTES,
  'Changes in directories on the way to it within 100 ms': MAX_EVENTS,
  'Password files': MAX_PASSWORD_FILE_BYTES,
  '`[kernel] layout`': MAX_LAYOUT_BYTES,
  '`--system-map` of `subflowd layout`': MAX_SYSTEM_MAP_BYTES,
  'One part (section) of `--vmlinux`': MAX_SECTION_BYTES,

  '`overrides.json` and its copy': overrides.MAX_FILE_BYTES,
  'Damaged override files that are kept': overrides.MAX_SET_ASIDE,
  '`quotas.json`': MAX_QUOTAS_BYTES,
  'Pairs of a client and a path whose use is counted': quotas.MAX_ACCOUNTS,
  'Days that are kept of each': quotas.MAX_DAYS,
  '`/etc/passwd`, `/etc/group`': MAX_ACCOUNTS_FILE_BYTES,
  'OpenVPN’s config, as `doctor` reads it': MAX_CONFIG_BYTES,
  'Lines in the history of `subflowd console`': MAX_HISTORY_LINES,
  'File of that history': MAX_HISTORY_BYTES,

  'Directories of users': MAX_USERS,
  'Files of one directory': MAX_ENTRIES,
  'Size of a record': MAX_RECORD_BYTES,
  'Time to finish a record': UNFINISHED_MS,
  'Changes of one directory within 100 ms': MAX_EVENTS,
  'Work for one directory after a rest': DIRECTORY_LIMITS.burstMs,
  'Processes of one directory that are one server’s': MAX_PROCESSES,
  'Entries of a directory that the plugin reads': maxEntriesOfPlugin(),
  'Files that are named in a minute': directory.MAX_PER_MINUTE,
  'Named files that are remembered': directory.MAX_NAMED_FILES,
  'Pause between two reports of one kind': directory.MIN_PAUSE_MS,

  'A line': MAX_LINE_BYTES,
  'A real-time message with its variables': MAX_MESSAGE_BYTES,
  'An answer': MAX_ANSWER_BYTES,
  'Time to greet': GREETING_MS,
  'Time to answer a command': ANSWER_MS,
  'Sessions of one server': MAX_SESSIONS,
  'Rows of `status` that are reported as unreadable': MAX_UNREADABLE,
  'Commands that wait for OpenVPN': MAX_WAITING,
  'Of these, commands for the settings that clients share': MAX_UNANSWERED,

  'A message between the daemon and its helper': BOUNDS.requestBytes,
  'Changes of priorities in a message': BOUNDS.changes,
  'Processes in a message': BOUNDS.pids,
  'Announcements in a message': BOUNDS.announcements,
  'Connections of a process in an answer': BOUNDS.connections,
  'Messages of the daemon at once': ALLOWED.messages.burst,
  'Of these, in each further second': ALLOWED.messages.perSecond,
  'Changes of the daemon at once': ALLOWED.changes.burst,
  'Of these changes, in each further second': ALLOWED.changes.perSecond,
  'Time in which the helper must answer': HELPER_ANSWER_MS,

  'Clients at a unix socket': SLOT_LIMITS.all,
  'Of these, kept for root and the daemon’s user': SLOT_LIMITS.forRoot,
  'Of these, for one other user': SLOT_LIMITS.perUser,
  'Clients on TCP on loopback without a password': SLOT_LIMITS.all,
  'Clients on TCP that have given the password': SLOT_LIMITS.all,
  'Clients that are turned away and still read the reason': MAX_LEAVING,
  'Time to leave after the last line': CLIENT_LIMITS.leaveMs,
  'Bytes of a line': client.MAX_LINE_BYTES,
  'Commands sent ahead': client.MAX_WAITING_LINES,
  'Bytes of commands sent ahead': client.MAX_WAITING_BYTES,
  'Questions asked together': client.MAX_QUERIES,
  'Answers that wait behind an earlier one': client.MUCH_UNREAD_BYTES,
  'Answers that one client has not read': UNREAD_LIMITS.ofOne,
  'Answers that all clients together have not read': UNREAD_LIMITS.ofAll,
  'Time in which an answer must be read': CLIENT_LIMITS.unreadMs,
  'Real-time messages that are not read': CLIENT_LIMITS.unreadBytes,
  'Bytes of a command that is passed on to OpenVPN': MAX_COMMAND_LINE_BYTES,
  'Bytes of each line of a command with several': MAX_MULTI_LINE_BYTES,
  'All lines of such a command': MAX_COMMAND_BYTES,
  'N of `test N`': MAX_TEST_LINES,
  'N of `log N`, `state N`, `echo N`': MAX_REQUESTED_LINES,
  'Requests to let clients in that no client has claimed': claims.MAX_PENDING,
  'Bytes of these': claims.MAX_PENDING_BYTES,
  'Clients that are named if a word fits several': MAX_NAMED_CLIENTS,
  'An answer that a `subflowd` command takes': MAX_DAEMON_ANSWER_BYTES,
  'A line that `subflowd watch` takes': MAX_WATCHED_LINE_BYTES,
  'A line that `subflowd console` takes': MAX_DAEMON_ANSWER_BYTES,

  'Connections that have not given the password yet': LOGIN_LIMITS.all,
  'Of these, of one source': LOGIN_LIMITS.perSource,
  'Time to give the password': CLIENT_LIMITS.admitMs,
  'Tries of one connection': MAX_TRIES,
  'Wrong passwords of a source that cost no time': TRY_LIMITS.free,
  'Longest such wait': TRY_LIMITS.longestMs,
  'Time without a wrong password that ends this': TRY_LIMITS.forgetMs,
  'Sources that are remembered': TRY_LIMITS.sources,
  'Sources in the log in one minute': MAX_NAMED_SOURCES,

  'Subflows of a session, `max-subflows` by default': sections.steering.parse({})['max-subflows'],
  'Least limit on the subflows of a connection without a session': MIN_WITHOUT_SESSION,
  'Subflows that wait to be closed': MAX_QUEUED,
  'Address IDs that are tried to announce an address': MAX_ID_TRIES,
  'Ports of one server that an observation asks the kernel for': MAX_PORTS,
  'File descriptors of a process of a server': MAX_DESCRIPTORS,
  'Subflows of a client with a quota whose counters are remembered': quotas.MAX_SUBFLOWS,
  'Connections of such clients that are remembered after they ended': quotas.MAX_GONE,
  'Disconnections of a client by `rejoin-after` in an hour': MAX_REJOINS_PER_HOUR,
  'Time between two of them, of any clients': BETWEEN_REJOINS_MS,
  '`devmem`: processes of the host': MAX_TASKS,
  '`devmem`: file descriptors of a process': MAX_FDS,
  '`devmem`: subflows of a connection': MAX_NODES,
  '`devmem`: members of a structure in BTF': MAX_MEMBERS,
  '`devmem`: bytes of a name in BTF': MAX_NAME_BYTES,

  'Reports in `subflowd status`': MAX_REPORTS,
  'How long it shows an event that happened once': EVENT_MS,
  'Open problems of one server': MAX_OPEN,
  'Problems of one process that an observation names': MAX_PROBLEMS_OF_PROCESS,
  'Pause between two reports of closed subflows': tally.PAUSE_MS,
  'Connections that such a report names': tally.NAMED,
  'Peers with plain TCP that `doctor` names': MAX_PEERS,
};

/** Bytes or milliseconds of each unit. */
const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: 1024 ** 2, s: 1000 };

/** The number of a cell such as `16 MiB`, in bytes or milliseconds if it has a unit. */
function amountOf(text: string): number {
  const [, digits = '', unit = ''] = /^([\d,]+)(?: (\w+))?$/.exec(text) ?? [];
  return Number(digits.replaceAll(',', '')) * (UNITS[unit] ?? NaN);
}

/** The rows of the page. */
const rows = readFileSync(new URL('docs/limits.md', ROOT), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:what |-)/.test(line))
  .map((line) => {
    const [what = '', limit = '', effect = '', test = ''] = line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim().replaceAll("'", '’'));
    return { what, limit, effect, test };
  });

it('the page and this test have the same limits', () => {
  expect(rows.map(({ what }) => what)).toEqual(Object.keys(VALUES));
});

it.each(rows)('the page has the number of the source: $what', ({ what, limit, effect }) => {
  expect(amountOf(limit)).toBe(VALUES[what]);
  expect(effect).not.toBe('');
});

it.each(rows)('the test that the page names exists: $what', ({ test }) => {
  const [, name = '', title = ''] = /^`([\w/-]+\.test\.ts)`: (.+)$/.exec(test) ?? [];
  const file = new URL(`test/unit/${name}`, ROOT);
  expect(existsSync(file), `${name} exists`).toBe(true);
  const titles = [
    ...readFileSync(file, 'utf8').matchAll(/(?:^ *(?:it|test|describe)|\))\(\s*(['"`])(.*?)\1,/gm),
  ];
  expect(titles.map(([, , text = '']) => text.replaceAll("'", '’'))).toContain(title);
});
