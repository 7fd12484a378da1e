import type { Backend } from '../backend.js';
import type { PathManagerListener } from './listener.js';

/**
 * A backend of another kind, told early of subflows by the same events. That somebody listens also lets clients join where
 * net.mptcp.pm_type is 1, without any limit but ours.
 */
export function withListener(backend: Backend, listener: PathManagerListener): Backend {
  return {
    name: backend.name,
    description: backend.description,
    tellsPeer: backend.tellsPeer,
    connections: async (pid) => {
      const sockets = await backend.connections(pid);
      listener.storeForeignObservation(pid, sockets.connections);
      return { ...sockets, connections: listener.withoutExcess(pid, sockets.connections) };
    },
    setPriority: (subflow, priority, options) => backend.setPriority(subflow, priority, options),
    trackServers: (pids) => {
      listener.trackServers(pids);
      backend.trackServers?.(pids);
    },
    onChange: (changed) => {
      listener.onChange(changed);
    },
    limitSubflows: (limits) => {
      listener.setLimits(limits);
    },
    onExcess: (excess) => {
      listener.onExcess(excess);
    },
    close: async () => {
      listener.close();
      await backend.close();
    },
  };
}
