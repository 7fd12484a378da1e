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
      listener.sawElsewhere(pid, sockets.connections);
      return { ...sockets, connections: listener.kept(pid, sockets.connections) };
    },
    setPriority: (subflow, priority, options) => backend.setPriority(subflow, priority, options),
    attend: (pids) => {
      listener.attend(pids);
      backend.attend?.(pids);
    },
    onChange: (changed) => {
      listener.onChange(changed);
    },
    limitSubflows: (limits) => {
      listener.limit(limits);
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
