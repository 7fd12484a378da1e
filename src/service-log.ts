import { fstatSync } from 'node:fs';
import { journalSender } from './journal.js';
import { createLog, type Logger } from './util/log.js';

/** How a service logs. */
export interface LogChoice {
  readonly logLevel: string;
  /** Absent: as text on a terminal, as sentences with fields to the journal, and else as JSON. */
  readonly logFormat?: 'text' | 'json';
}

/** The log of a service, on standard error or, if the journal reads that, by the journal's own protocol. */
export function serviceLog({ logLevel, logFormat }: LogChoice): Logger {
  const { isTTY } = process.stderr;
  const isJournal = process.env.JOURNAL_STREAM !== undefined && !isTTY;
  const isNative = logFormat === undefined && isJournalStream(process.env.JOURNAL_STREAM);
  return createLog({
    level: logLevel,
    // What cannot be sent to the journal goes there as text by standard error.
    format: logFormat ?? (isTTY || isNative ? 'text' : 'json'),
    isJournal,
    ...(isNative && { send: journalSender() }),
  });
}

/**
 * Whether standard error leads to the journal.
 * @param stream JOURNAL_STREAM, `DEVICE:INODE` (systemd.exec(5)). A program that was started with other streams inherits it.
 * @param descriptor of standard error.
 */
export function isJournalStream(stream: string | undefined, descriptor = 2): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
