import { pino, type Logger } from 'pino';
import { escapeJson, printable } from './printable.js';

export type { Logger };

/** Where log lines go and how they look. */
export interface LogOptions {
  readonly level: string;
  /** `json`: one object per line, for machines; `text`: a time, a level and a sentence. */
  readonly format: 'json' | 'text';
  /** Whether the journal reads it: each line then begins with its level (sd-daemon(3)). */
  readonly isJournal?: boolean;
}

/** syslog(3)'s levels, by pino's. */
const SYSLOG: Readonly<Record<number, number>> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 };

/**
 * The daemon's log: on standard error, so that the journal and a terminal both have it. Written synchronously. A line
 * that cannot be written (a full disk, a reader that is gone) is lost, and the daemon serves on; once one can be again,
 * the number of those that were lost is written behind it.
 */
export function createLog({ level, format, isJournal = false }: LogOptions): Logger {
  let lost = 0;
  const write = (line: string) => {
    const text = `${isJournal ? prefix(line) : ''}${format === 'json' ? escapeJson(line) : asText(line)}`;
    process.stderr.write(text, (error) => {
      if (error) lost += 1;
      else if (lost > 0) writeLost();
    });
  };
  const writeLost = () => {
    const line = {
      level: 40,
      time: Date.now(),
      event: 'lost',
      msg: `log lines that could not be written: ${lost}`,
    };
    lost = 0;
    write(`${JSON.stringify(line)}\n`);
  };
  // without a listener the stream would end the process; each write hears of its own error
  process.stderr.on('error', () => undefined);
  return pino({ level, base: null }, { write });
}

interface Line {
  readonly level: number;
  readonly time: number;
  readonly msg?: string;
}

function prefix(line: string): string {
  return `<${SYSLOG[(JSON.parse(line) as Line).level] ?? 6}>`;
}

function asText(line: string): string {
  const { level, time, msg } = JSON.parse(line) as Line;
  return `${new Date(time).toISOString()} ${(pino.levels.labels[level] ?? '').padEnd(5)} ${printable(msg ?? '')}\n`;
}
