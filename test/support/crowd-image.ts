import type { SubflowName } from '../../src/model/subflow.js';
import type { Endpoint } from '../../src/model/endpoint.js';
import type { Layout } from '../../src/kernel/layout/layout.js';
import { PID, SERVER } from './alice.js';
import { KernelImage } from './kernel-image.js';

/** The size of a session with three subflows in an image, bytes. */
const SESSION_BYTES = 40 * 1024;
const SUBFLOWS = 3;
/** Other processes of the host, on the list before that of the server. */
const OTHERS = 100;

/** An image of a server with many sessions, each with three subflows on three networks. */
export class CrowdImage {
  readonly image: KernelImage;
  /** The second subflow of each session. */
  readonly names: readonly SubflowName[];

  /** @param sessions 1 to 60,000. */
  constructor(
    layout: Layout,
    readonly sessions: number,
  ) {
    const size = Math.ceil((0x100_0000 + sessions * SESSION_BYTES) / 4096) * 4096;
    this.image = new KernelImage(layout, { size });
    for (let pid = 2; pid < 2 + OTHERS; pid++) this.image.task(pid, []);
    const files = Array.from({ length: sessions }, (_, session) => {
      const subflows = Array.from({ length: SUBFLOWS }, (_, path) => ({
        local: SERVER,
        remote: client(session, path),
      }));
      const [first] = subflows;
      return this.image.socket({
        local: SERVER,
        remote: client(session, 0),
        ...first,
        token: session + 1,
        subflows,
      }).file;
    });
    this.image.task(PID, files);
    this.names = files.map((_, session) => ({
      pid: PID,
      connection: client(session, 0),
      local: SERVER,
      remote: client(session, 1),
    }));
  }
}

function client(session: number, path: number): Endpoint {
  return { address: `10.${path}.${session >>> 8}.${session & 0xff}`, port: 20_000 + (session % 40_000) };
}
