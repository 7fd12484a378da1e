import { startHelper } from './helper/start-helper.js';
import { fail } from './output.js';
import { serviceLog, type LogChoice } from './service-log.js';
import { ServiceManager } from './service-manager.js';
import { handleSignals } from './signals.js';

export interface HelperChoice extends LogChoice {
  readonly socket: string;
  readonly user: string;
  readonly unit: readonly string[];
}

/** Runs the helper until a signal ends it. */
export async function runHelper({ socket, user, unit, ...options }: HelperChoice): Promise<void> {
  const log = serviceLog(options);
  const signals = handleSignals(log);
  const helper = await startHelper({
    socket,
    user,
    units: unit,
    onNotice: (text) => {
      log.warn({ event: 'helper' }, text);
    },
  });
  const manager = new ServiceManager();
  manager.ready('waits for the daemon');
  log.info({ event: 'helper' }, 'the helper waits for the daemon');
  signals.serve({
    stop: async () => {
      manager.stopping();
      await helper.close();
    },
    // it has no config
    reload: () => Promise.resolve(),
    fail,
  });
}
