import { Daemon } from './daemon.js';
import { fail } from './output.js';
import { serviceLog, type LogChoice } from './service-log.js';
import { ServiceManager } from './service-manager.js';
import { handleSignals } from './signals.js';
import { surplusRights } from './surplus-rights.js';

/** Options of `subflowd run`. */
export interface RunOptions extends LogChoice {
  readonly config: string;
  /** The socket of the helper. */
  readonly helper: string;
  /** Whether this process does the helper's work, too. */
  readonly single?: boolean;
}

/** Runs the daemon until a signal ends it. */
export async function runDaemon({ config, helper, single = false, ...options }: RunOptions): Promise<void> {
  const log = serviceLog(options);
  const signals = handleSignals(log);
  const daemon = await Daemon.start(config, log, single ? undefined : helper);
  const notice = single ? SINGLE : surplusRights();
  if (notice !== undefined) log.warn({ event: 'rights' }, notice);
  const manager = new ServiceManager();
  manager.ready(`serves ${config}`);
  signals.serve({
    stop: async () => {
      manager.stopping();
      await daemon.stop();
    },
    reload: () => daemon.reload(),
    fail,
  });
}

const SINGLE =
  'one process reads what clients and consoles send, and has the rights to change the kernel: who takes it over has these ' +
  'rights. Where there is systemd, run subflowd.service and subflowd-helper.service instead (docs/privileges.md)';
