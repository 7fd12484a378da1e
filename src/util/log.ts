import { pino, type Logger } from 'pino';
import { escapeJson, printable } from './printable.js';

export type { Logger };

/** Where log lines go and how they look. */
export interface LogOptions {
  readonly level: string;
  /** `json`: one object per line, for machines; `text`: a time, a level and a sentence. */
  readonly format: 'json' | 'text';
  /** Whether the journal reads the log: then each line begins with its level (sd-daemon(3)). */
  readonly isJournal?: boolean;
  /**
   * Sends a line elsewhere than to standard error. It returns false if it could not, and then the line goes to standard error.
   * It never throws.
   */
  readonly send?: (line: LogLine) => boolean;
}

/** Levels of syslog(3) by levels of pino: trace, debug, info, warn, error, fatal. */
const SYSLOG: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };
const SYSLOG_INFO = 6;

/** The level of syslog(3) for a level of pino. */
export function syslogLevel(level: number): number {
  return SYSLOG[level] ?? SYSLOG_INFO;
}

/** The level `warn` of pino. */
const WARN = 40;

/**
 * Creates the daemon's log on standard error, for the journal or a terminal. It is written synchronously. A line that cannot be
 * written (full disk, closed pipe) is lost, and the daemon goes on. After the next line that can be written, the log says how
 * many were lost.
 */
export function createLog({ level, format, isJournal = false, send }: LogOptions): Logger {
  let lost = 0;
  const write = (line: string) => {
    if (send?.(JSON.parse(line) as LogLine) === true) return;
    const text = `${isJournal ? journalPrefix(line) : ''}${format === 'json' ? escapeJson(line) : asText(line)}`;
    process.stderr.write(text, (error) => {
      if (error) lost += 1;
      else if (lost > 0) writeLost();
    });
  };
  const writeLost = () => {
    const line = {
      level: WARN,
      time: Date.now(),
      event: 'lost',
      msg: `log lines that could not be written: ${lost}`,
    };
    lost = 0;
    write(`${JSON.stringify(line)}\n`);
  };
  // Without a listener an error of the stream would end the process. Each write handles its own error.
  process.stderr.on('error', () => undefined);
  return pino({ level, base: null }, { write });
}

/** A line of pino: what each line has, and the members of its event. */
export interface LogLine {
  readonly level: number;
  /** Unix time in milliseconds. */
  readonly time: number;
  readonly msg?: string;
  readonly [member: string]: unknown;
}

function journalPrefix(line: string): string {
  const { level } = JSON.parse(line) as LogLine;
  return `<${syslogLevel(level)}>`;
}

/** Makes `TIME LEVEL MESSAGE` of a line of JSON. */
function asText(line: string): string {
  const { level, time, msg } = JSON.parse(line) as LogLine;
  return `${new Date(time).toISOString()} ${(pino.levels.labels[level] ?? '').padEnd(5)} ${printable(msg ?? '')}\n`;
}
