import { openBackend } from './backend/open.js';
import { startHelper } from './helper/start-helper.js';
import { KEPT_NAME, keepListening } from './keep-listening.js';
import { fail } from './output.js';
import { serviceLog, type LogChoice } from './service-log.js';
import { passedDescriptors, ServiceManager } from './service-manager.js';
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
  const manager = new ServiceManager();
  const passed = passedDescriptors();
  const kept = keepListening(manager, passed);
  const helper = await startHelper({
    socket,
    listening: [...passed].find(([name]) => name !== KEPT_NAME)?.[1],
    user,
    units: unit,
    open: (wanted) => openBackend(wanted, kept),
    onNotice: (text) => {
      log.warn({ event: 'helper' }, text);
    },
  });
  manager.ready('waits for the daemon');
  log.info({ event: 'helper' }, 'the helper waits for the daemon');
  signals.serve({
    stop: async () => {
      manager.stopping();
      await helper.close();
      kept.socket?.close();
    },
    // it has no config
    reload: () => Promise.resolve(),
    fail,
  });
}
