import type { Backend, NotTried, PriorityRequest, PriorityResult } from '../backend/backend.js';
import type { Announcement } from '../model/announcement.js';
import type { BackendName } from '../model/backend-name.js';
import type { Connection, PlainPeer, ServerSockets } from '../model/connection.js';
import type { ExcessSubflows, SubflowLimits } from '../model/subflow-limits.js';
import { KernelError } from '../model/kernel-error.js';
import { Backoff } from '../util/backoff.js';
import { decodeConnections } from './connection-list.js';
import { readList } from './fields.js';
import { HelperLink, notConnected, type LinkListener } from './helper-link.js';
import { BOUNDS, CONNECTIONS_PER_PART, MESSAGES_VERSION, type Opened } from './messages.js';
import { partsOf } from './parts-of.js';
import { readOpened, readPlainPeers, readResults, readSentences } from './read-reply.js';

/** Milliseconds between two attempts to connect again. */
const RETRY_MS = { least: 100, most: 2_000 };
/** Milliseconds that a request waits for a helper that is being started again. */
const PATIENCE_MS = 1_000;

/** Options of {@link RemoteBackend}. */
export interface RemoteOptions {
  readonly socket: string;
  readonly wanted: { readonly backend: BackendName | 'auto'; readonly layout: string };
  /** The link to the helper has ended. */
  readonly onLost: (text: string) => void;
  /** The helper is back, and does again what it did before. */
  readonly onBack: () => void;
  /** See {@link HelperLink.open}. */
  readonly answerMs?: number;
}

/**
 * The backend of a daemon without rights: the helper does the work. If the helper ends, the daemon connects to the next one and
 * tells it again what to watch and to limit. Meanwhile nothing can be observed or set, and every client stays as it is.
 */
export class RemoteBackend implements Backend {
  readonly onChange?: (listener: () => void) => void;
  readonly limitSubflows?: (limits: SubflowLimits) => void;
  readonly onExcess?: (listener: (excess: ExcessSubflows) => void) => void;
  readonly announce?: (announcements: readonly Announcement[]) => readonly string[];
  readonly #options: RemoteOptions;
  readonly #opened: Opened;
  readonly #backoff = new Backoff(RETRY_MS.least, RETRY_MS.most);
  #link: HelperLink | undefined;
  #lostBecause = '';
  #retry: NodeJS.Timeout | undefined;
  /** Those that wait for a link. */
  #waiting: (() => void)[] = [];
  #isClosed = false;
  #notifyChange: () => void = () => undefined;
  #notifyExcess: (excess: ExcessSubflows) => void = () => undefined;
  /** The last list of each process, by PID, as the helper sent it over this link. */
  #last = new Map<number, readonly Connection[]>();
  /** What the helper was told last, as text, so that nothing is sent twice. */
  readonly #told = new Map<
    'watch' | 'limit' | 'announce',
    { readonly text: string; readonly message: object }
  >();
  #announceProblems: readonly string[] = [];

  private constructor(options: RemoteOptions, opened: Opened) {
    this.#options = options;
    this.#opened = opened;
    if (opened.reportsChanges) this.onChange = (listener) => (this.#notifyChange = listener);
    if (opened.limitsSubflows) {
      this.onExcess = (listener) => (this.#notifyExcess = listener);
      this.limitSubflows = ({ sessionTokens, ...limits }) => {
        const tokens = [...sessionTokens].map(([pid, list]) => [pid, [...list]]);
        this.#tell('limit', { ...limits, tokens });
      };
    }
    if (opened.announces) {
      this.announce = (announcements) => {
        this.#tell('announce', { announcements: announcements.slice(0, BOUNDS.announcements) });
        return this.#announceProblems;
      };
    }
  }

  /**
   * Connects to the helper, and has it open its backend.
   * @returns also why the helper chose that backend.
   * @throws {KernelError} if there is no helper, or if no backend works on this host.
   */
  static async open(
    options: RemoteOptions,
  ): Promise<{ readonly backend: RemoteBackend; readonly because: string }> {
    const first: { backend?: RemoteBackend } = {};
    const { link, opened } = await connectAndOpen(options, () => first.backend);
    const backend = new RemoteBackend(options, opened);
    first.backend = backend;
    backend.#link = link;
    return { backend, because: opened.because };
  }

  /** What a link reports. @param of the backend; undefined until it uses the link. */
  static listenerOf(of: () => RemoteBackend | undefined): LinkListener {
    return {
      onChange: () => {
        const backend = of();
        if (backend) backend.#notifyChange();
      },
      onExcess: (excess) => {
        const backend = of();
        if (backend) backend.#notifyExcess(excess);
      },
      onEnd: (reason) => {
        const backend = of();
        if (backend) backend.#lost(reason);
      },
    };
  }

  get name(): BackendName {
    return this.#opened.name;
  }

  get description(): string {
    return this.#opened.description;
  }

  get notifiesPeer(): boolean {
    return this.#opened.notifiesPeer;
  }

  async connections(pid: number): Promise<ServerSockets> {
    const link = await this.#ready();
    const last = this.#last;
    const before = last.get(pid) ?? [];
    const connections: Connection[] = [];
    let plain: readonly PlainPeer[] = [];
    let problems: readonly string[] = [];
    await link.request({ do: 'look', pid }, ({ items, more, plain: peers, problems: texts }) => {
      const part = readList(items, 'items', CONNECTIONS_PER_PART);
      for (const connection of decodeConnections(pid, before, part)) connections.push(connection);
      if (connections.length > BOUNDS.connections) throw new RangeError('it sent too many connections');
      if (more === true) return;
      plain = readPlainPeers(pid, peers);
      problems = readSentences(texts);
      last.set(pid, connections);
    });
    return { connections, plain, problems };
  }

  async setPriorities(requests: readonly PriorityRequest[]): Promise<readonly (PriorityResult | NotTried)[]> {
    // all are sent before the first answer arrives
    const answers = partsOf(requests).map((part) => this.#set(part));
    return (await Promise.all(answers)).flat();
  }

  trackServers(pids: readonly number[]): void {
    for (const pid of this.#last.keys()) if (!pids.includes(pid)) this.#last.delete(pid);
    this.#tell('watch', { pids: pids.slice(0, BOUNDS.pids) });
  }

  close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    this.#link?.end('subflowd ends');
    this.#wake();
    return Promise.resolve();
  }

  async #set(changes: readonly PriorityRequest[]): Promise<readonly (PriorityResult | NotTried)[]> {
    let results: readonly (PriorityResult | NotTried)[] = [];
    try {
      const link = this.#link ?? (await this.#ready());
      const plain = changes.map(({ name: { pid, connection, local, remote }, priority, overridePeer }) => ({
        name: { pid, connection, local, remote },
        priority,
        ...(overridePeer !== undefined && { overridePeer }),
      }));
      await link.request({ do: 'set', changes: plain }, (members) => {
        results = readResults(members.results, changes.length);
      });
      return results;
    } catch (error) {
      const { message } = error as Error;
      return changes.map(() => ({ outcome: 'refused', isMpPrioRequested: false, reason: message }));
    }
  }

  /** Tells the helper something that holds until it is told otherwise. */
  #tell(what: 'watch' | 'limit' | 'announce', message: object): void {
    const text = JSON.stringify(message);
    if (this.#told.get(what)?.text === text) return;
    this.#told.set(what, { text, message });
    if (this.#link) this.#send(this.#link, what, message);
  }

  #send(link: HelperLink, what: 'watch' | 'limit' | 'announce', message: object): void {
    link
      .request({ do: what, ...message }, ({ problems }) => {
        if (what === 'announce') this.#announceProblems = readSentences(problems);
      })
      .catch(() => {
        // If the link has ended, the next helper is told. Otherwise the next observation of the process throws the reason.
        if (this.#link === link) this.#told.delete(what);
      });
  }

  /** The link, if necessary after a short wait. @throws {KernelError} if there is none then. */
  async #ready(): Promise<HelperLink> {
    if (!this.#link && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PATIENCE_MS);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    if (!this.#link) throw notConnected(this.#lostBecause);
    return this.#link;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #lost(reason: string): void {
    this.#link = undefined;
    if (this.#isClosed) return;
    this.#lostBecause = reason;
    // a new helper knows nothing of the last lists
    this.#last = new Map();
    const { message, remedy } = notConnected(reason);
    this.#options.onLost(`${message}; to fix it if it lasts: ${remedy ?? ''}`);
    this.#reconnectLater();
  }

  #reconnectLater(): void {
    if (this.#isClosed) return;
    this.#retry = setTimeout(() => {
      void this.#reconnect();
    }, this.#backoff.next());
  }

  async #reconnect(): Promise<void> {
    const serving: { backend?: RemoteBackend } = {};
    try {
      const { link, opened } = await connectAndOpen(this.#options, () => serving.backend);
      if (this.#isClosed || opened.name !== this.name) {
        link.end('it is not used');
        const found = `it now uses ${opened.name} and not ${this.name}`;
        throw new KernelError('helper', found, 'systemctl restart subflowd');
      }
      this.#link = link;
    } catch (error) {
      this.#lostBecause = (error as Error).message;
      this.#reconnectLater();
      return;
    }
    serving.backend = this;
    this.#backoff.reset();
    for (const [what, { message }] of this.#told) this.#send(this.#link, what, message);
    this.#options.onBack();
    this.#wake();
    this.#notifyChange();
  }
}

/** Connects, and has the helper open its backend. @throws {KernelError} as {@link RemoteBackend.open} does. */
async function connectAndOpen(
  { socket, wanted, answerMs }: RemoteOptions,
  of: () => RemoteBackend | undefined,
): Promise<{ readonly link: HelperLink; readonly opened: Opened }> {
  const link = await HelperLink.open(socket, RemoteBackend.listenerOf(of), answerMs);
  try {
    const answers: Opened[] = [];
    await link.request({ do: 'open', version: MESSAGES_VERSION, ...wanted }, ({ opened }) => {
      answers.push(readOpened(opened));
    });
    const [opened] = answers;
    if (opened === undefined) throw new KernelError('helper', 'it did not open');
    return { link, opened };
  } catch (error) {
    link.end('it did not open');
    throw error;
  }
}
