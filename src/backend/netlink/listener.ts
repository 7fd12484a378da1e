import type { Backend } from '../backend.js';
import { explain } from './explain.js';
import type { Family } from './family.js';
import { NetworkNamespace } from './namespace.js';
import { NetworkNamespaces } from './namespaces.js';
import { findPathManager } from './path-manager.js';

/** Listens to the kernel's path manager in our own network namespace and in those of the servers. */
export class PathManagerListener {
  readonly family: Family;
  readonly namespaces: NetworkNamespaces;
  #onChange: () => void = () => undefined;

  /** @throws {KernelError} if this host's kernel has no such path manager, or does not let us listen. */
  constructor() {
    try {
      const own = NetworkNamespace.of('self');
      try {
        this.family = findPathManager(own.generic);
      } finally {
        own.close();
      }
      this.namespaces = new NetworkNamespaces(this.family, () => {
        this.#onChange();
      });
    } catch (error) {
      throw explain(error);
    }
  }

  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  attend(pids: readonly number[]): void {
    for (const pid of pids) {
      try {
        this.namespaces.of(pid);
      } catch {
        // looking at it will say why
      }
    }
  }

  close(): void {
    this.namespaces.close();
  }
}

/**
 * A backend of another kind, told early of subflows by the same events. That somebody listens also lets clients join where
 * net.mptcp.pm_type is 1.
 */
export function withListener(backend: Backend, listener: PathManagerListener): Backend {
  return {
    name: backend.name,
    description: backend.description,
    tellsPeer: backend.tellsPeer,
    connections: (pid) => backend.connections(pid),
    setPriority: (subflow, priority, options) => backend.setPriority(subflow, priority, options),
    attend: (pids) => {
      listener.attend(pids);
      backend.attend?.(pids);
    },
    onChange: (changed) => {
      listener.onChange(changed);
    },
    close: async () => {
      listener.close();
      await backend.close();
    },
  };
}
