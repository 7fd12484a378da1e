import { createLog, type Logger } from './util/log.js';

/** How a service logs. */
export interface LogChoice {
  readonly logLevel: string;
  readonly logFormat?: 'text' | 'json';
}

/** The log of a service, on standard error: for a terminal as text, else as JSON. */
export function serviceLog({ logLevel, logFormat }: LogChoice): Logger {
  return createLog({
    level: logLevel,
    format: logFormat ?? (process.stderr.isTTY ? 'text' : 'json'),
    isJournal: process.env.JOURNAL_STREAM !== undefined && !process.stderr.isTTY,
  });
}
