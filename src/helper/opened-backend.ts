import { lstatSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Backend } from '../backend/backend.js';
import { openBackend, type OpenBackend } from '../backend/open.js';
import type { BackendName } from '../model/backend-name.js';
import { KernelError } from '../model/kernel-error.js';
import type { ExcessSubflows } from '../model/subflow-limits.js';
import { BOUNDS, type Opened } from './messages.js';

/** What the backend reports by itself. */
export interface BackendListener {
  readonly onChange: () => void;
  readonly onExcess: (excess: ExcessSubflows) => void;
}

export type OpenFunction = (wanted: {
  backend: BackendName | 'auto';
  layout: string;
}) => Promise<OpenBackend>;

/** The helper's backend. It stays open when the daemon ends, so that the kernel accepts further subflows meanwhile. */
export class OpenedBackend {
  #opened: { readonly key: string; readonly open: OpenBackend } | undefined;
  /** The larger limit of the daemon's last message. */
  #mostSubflows = 8;

  constructor(
    private readonly listener: BackendListener,
    private readonly open: OpenFunction = openBackend,
  ) {}

  /** @throws {Error} if nothing is open: the daemon sent no `open`. */
  get backend(): Backend {
    if (!this.#opened) throw new KernelError('helper', 'the first message is not open');
    return this.#opened.open.backend;
  }

  /** Opens the backend, unless the same one is open already. @throws {KernelError} if it does not work on this host. */
  async ensure(backend: BackendName | 'auto', layout: string): Promise<Opened> {
    const key = `${backend} ${layout}`;
    if (this.#opened?.key !== key) {
      if (layout !== 'btf') requireRootsFile(layout);
      await this.close();
      const open = await this.open({ backend, layout });
      this.#opened = { key, open };
      open.backend.onChange?.(this.listener.onChange);
      open.backend.onExcess?.(this.listener.onExcess);
    }
    const { backend: its, because } = this.#opened.open;
    return {
      name: its.name,
      description: its.description.slice(0, BOUNDS.text),
      notifiesPeer: its.notifiesPeer,
      because: because.slice(0, BOUNDS.text),
      reportsChanges: its.onChange !== undefined,
      limitsSubflows: its.limitSubflows !== undefined,
      announces: its.announce !== undefined,
    };
  }

  limit(limits: Parameters<NonNullable<Backend['limitSubflows']>>[0]): void {
    this.#mostSubflows = Math.max(limits.withSession, limits.withoutSession);
    this.backend.limitSubflows?.(limits);
  }

  /**
   * The daemon has ended. From now on nothing is changed, except that a client still cannot add any number of subflows: each
   * connection may have as many as one with a session.
   */
  rest(): void {
    const most = this.#mostSubflows;
    this.#opened?.open.backend.limitSubflows?.({
      withSession: most,
      withoutSession: most,
      sessionTokens: new Map(),
    });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.open.backend.close();
  }
}

/**
 * The daemon names the layout file, and a false one would make the helper write to wrong places in memory. So only root may
 * have written it.
 * @throws {KernelError}
 */
export function requireRootsFile(path: string, root = 0): void {
  let at: string;
  try {
    at = realpathSync(path);
    for (;;) {
      const { uid, mode } = lstatSync(at);
      if (uid !== root || (mode & 0o022) !== 0) {
        throw new KernelError(
          'layout',
          `${path} is not root's alone: ${at} belongs to user ${uid}, with mode 0${(mode & 0o7777).toString(8)}`,
          `chown root:root ${at} && chmod go-w ${at}`,
        );
      }
      if (at === dirname(at)) return;
      at = dirname(at);
    }
  } catch (error) {
    if (error instanceof KernelError) throw error;
    throw new KernelError('layout', `${path}: ${(error as Error).message}`, undefined, { cause: error });
  }
}
