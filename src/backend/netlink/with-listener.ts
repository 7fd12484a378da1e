import type { Backend } from '../backend.js';
import type { PathManagerListener } from './listener.js';

/**
 * Adds the events of the kernel's path manager to another backend, so that it reports changes at once. While we listen, the
 * kernel accepts further subflows under net.mptcp.path_manager = userspace, without a limit of its own; ours applies. It
 * does so for the whole host: one bitmap says whether anybody listens, in any network namespace.
 */
export function withListener(backend: Backend, listener: PathManagerListener): Backend {
  return {
    name: backend.name,
    description: backend.description,
    notifiesPeer: backend.notifiesPeer,
    connections: async (pid) => {
      const sockets = await backend.connections(pid);
      listener.storeForeignObservation(pid, sockets.connections);
      return { ...sockets, connections: listener.withoutExcess(pid, sockets.connections) };
    },
    setPriorities: (requests) => backend.setPriorities(requests),
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
    announce: (announcements) => listener.announce(announcements),
    onExcess: (excess) => {
      listener.onExcess(excess);
    },
    close: async () => {
      listener.close();
      await backend.close();
    },
  };
}
