import { loadAddon } from './native/addon.js';
import { syslogLevel, type LogLine } from './util/log.js';
import { printable, printableJson } from './util/printable.js';

/** Where the journal receives entries with fields (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md). */
const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** What a member of a log line is called as a field, if not by its own name. `client` is the number of a console client. */
const FIELD_NAMES: ReadonlyMap<string, string> = new Map([
  ['commonName', 'CLIENT'],
  ['client', 'CONSOLE_CLIENT'],
]);
/** Members of a log line that are not fields of their own. */
const NOT_FIELDS: ReadonlySet<string> = new Set(['level', 'time', 'msg']);

/**
 * The fields of a log line as the journal's own protocol has them: `MESSAGE` is a sentence, `PRIORITY` a level of syslog(3).
 * Each member of the event is a field such as `SUBFLOWD_CLIENT` or `SUBFLOWD_PEER_TOLD`. Text is escaped by
 * {@link printable}, so a value never has a line end. A value that is not text is JSON. Members without a value are left out.
 */
export function journalEntry(line: LogLine): string {
  const fields: [string, string][] = [
    ['MESSAGE', printable(line.msg ?? '')],
    ['PRIORITY', String(syslogLevel(line.level))],
    ['SYSLOG_IDENTIFIER', 'subflowd'],
  ];
  for (const [member, value] of Object.entries(line)) {
    if (NOT_FIELDS.has(member) || value === null || value === undefined) continue;
    // `SERVER/COMMON NAME`; the name of a server has no slash
    if (member === 'key' && typeof value === 'string') {
      const slash = value.indexOf('/');
      fields.push(['SUBFLOWD_SERVER', printable(value.slice(0, slash))]);
      fields.push(['SUBFLOWD_CLIENT', printable(value.slice(slash + 1))]);
      continue;
    }
    fields.push([fieldName(member), typeof value === 'string' ? printable(value) : printableJson(value)]);
  }
  return fields.map(([name, value]) => `${name}=${value}\n`).join('');
}

/** `peerTold`: `SUBFLOWD_PEER_TOLD`. A field's name has capitals, digits and _ only. */
function fieldName(member: string): string {
  const words = FIELD_NAMES.get(member) ?? member.replace(/(?=[A-Z])/g, '_').toUpperCase();
  return `SUBFLOWD_${words.replace(/[^A-Z0-9]+/g, '_')}`;
}

/**
 * Makes the function that sends log lines to the journal.
 * @returns for each line whether it was sent. It is not if the journal is full or stopped, or if the line is longer than a
 * datagram, about 200 kB.
 * @throws {KernelError} if the native addon cannot be loaded.
 */
export function journalSender(socket = JOURNAL_SOCKET): (line: LogLine) => boolean {
  const { sendDatagram } = loadAddon();
  return (line) => sendDatagram(socket, Buffer.from(journalEntry(line))) === 0;
}
