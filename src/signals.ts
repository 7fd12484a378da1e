import { loadAddon } from './native/addon.js';
import type { Logger } from './util/log.js';

/** What the daemon does on each signal that it can handle (signal(7)). The manual page subflowd(8) lists the same. */
export const SIGNALS = {
  /** It ends; all priorities stay as they are. A second signal ends it at once. */
  end: ['SIGTERM', 'SIGINT', 'SIGQUIT'],
  /** It reads its config again. */
  reload: ['SIGHUP'],
  /** It logs the signal and goes on. The signals that OpenVPN uses are among these. */
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
 * The numbers of the real-time signals. They are ignored without a log line, because Node cannot listen to them. The C
 * library uses 32 and 33 itself (nptl(7)).
 */
export const REAL_TIME = { first: 34, last: 64 } as const;

/** What the signals do when the daemon serves. */
export interface SignalActions {
  /** Stops the daemon. Afterwards the process exits with 0. */
  readonly stop: () => Promise<void>;
  /** Reads the config again. An error is logged. */
  readonly reload: () => Promise<void>;
  /** Called if {@link stop} fails. */
  readonly fail: (error: unknown) => void;
}

/** The result of {@link handleSignals}. */
export interface HandledSignals {
  /** To be called when the daemon serves. A reload that was requested before happens then. */
  readonly serve: (actions: SignalActions) => void;
}

/**
 * Handles all signals that a process can handle. Before the daemon serves, a signal of `end` ends it at once, and a
 * reload waits until the daemon serves.
 */
export function handleSignals(log: Logger): HandledSignals {
  let actions: SignalActions | undefined;
  let isReloadWanted = false;
  const stop = () => {
    if (actions === undefined) process.exit(0);
    const { stop, fail } = actions;
    for (const name of SIGNALS.end) process.removeAllListeners(name);
    stop().then(() => process.exit(0), fail);
  };
  const reload = () => {
    isReloadWanted = actions === undefined;
    actions?.reload().catch((error: unknown) => {
      // one line for each mistake
      for (const text of (error as Error).message.split('\n')) log.error({ event: 'config-mistake' }, text);
    });
  };
  for (const name of SIGNALS.end) process.on(name, stop);
  for (const name of SIGNALS.reload) process.on(name, reload);
  for (const name of SIGNALS.logged) {
    process.on(name, () => {
      log.warn(
        { event: 'signal', signal: name },
        `${name} is ignored; subflowd(8) lists the signals with an effect`,
      );
    });
  }
  const { ignoreSignal } = loadAddon();
  for (let number: number = REAL_TIME.first; number <= REAL_TIME.last; number++) ignoreSignal(number);
  return {
    serve: (given) => {
      actions = given;
      if (isReloadWanted) reload();
    },
  };
}
