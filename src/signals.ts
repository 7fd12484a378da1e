import { loadAddon } from './native/addon.js';
import type { Logger } from './util/log.js';

/** What the daemon does on each signal that it can do something about (signal(7)); man subflowd(8) says the same. */
export const SIGNALS = {
  /** It ends, and leaves everything as it is; a second one ends it at once. */
  end: ['SIGTERM', 'SIGINT', 'SIGQUIT'],
  /** It reads its config again. */
  reload: ['SIGHUP'],
  /** It goes on, and logs that it was sent. OpenVPN's own signals are among them. */
  logged: [
    'SIGUSR1',
    'SIGUSR2',
    'SIGALRM',
    'SIGVTALRM',
    'SIGPROF',
    'SIGIO',
    'SIGPWR',
    'SIGSTKFLT',
    'SIGXCPU',
  ],
} as const satisfies Readonly<Record<string, readonly NodeJS.Signals[]>>;

/**
 * The real-time signals, which are ignored without a word, as Node cannot listen to them. The first two, 32 and 33, are
 * the C library's own (nptl(7)), which it catches or does not use.
 */
export const REAL_TIME = { first: 34, last: 64 } as const;

/** What signals are for, once the daemon serves. */
export interface Served {
  /** Ends it; the process then ends with 0. */
  readonly stop: () => Promise<void>;
  readonly reload: () => Promise<void>;
  /** Where {@link stop} fails. */
  readonly fail: (error: unknown) => void;
}

/** How {@link obeySignals} is told that the daemon serves. */
export interface ObeyedSignals {
  readonly serve: (served: Served) => void;
}

/**
 * Takes over all signals that can be taken over. Before the daemon serves, those that end it do so at once, and a reload
 * is done when it does.
 */
export function obeySignals(log: Logger): ObeyedSignals {
  let served: Served | undefined;
  let isReloadWanted = false;
  const stop = () => {
    if (served === undefined) process.exit(0);
    const { stop, fail } = served;
    for (const name of SIGNALS.end) process.removeAllListeners(name);
    stop().then(() => process.exit(0), fail);
  };
  const reload = () => {
    isReloadWanted = served === undefined;
    served?.reload().catch((error: unknown) => {
      log.error({ event: 'config-mistake' }, (error as Error).message);
    });
  };
  for (const name of SIGNALS.end) process.on(name, stop);
  for (const name of SIGNALS.reload) process.on(name, reload);
  for (const name of SIGNALS.logged) {
    process.on(name, () => {
      log.warn(
        { event: 'signal', signal: name },
        `${name} is ignored: subflowd(8) says which signals it obeys`,
      );
    });
  }
  const { ignoreSignal } = loadAddon();
  for (let number: number = REAL_TIME.first; number <= REAL_TIME.last; number++) ignoreSignal(number);
  return {
    serve: (now) => {
      served = now;
      if (isReloadWanted) reload();
    },
  };
}
