import {
  MessageWriter,
  readAttributes,
  readMessages,
  type Message,
} from '../../src/backend/netlink/message.js';
import { RequestSocket } from '../../src/backend/netlink/socket.js';
import type { NativeNetlinkSocket } from '../../src/native/addon.js';
import { numbered, receiveNext, refusal } from './scripted-kernel.js';

const EINVAL = 22;
const ENOENT = 2;
const TCP_ESTABLISHED = 1;
/** Bytes of `inet_diag_msg`. */
const DIAG_MSG = 72;

/** A subflow of a {@link PriorityKernel}. */
export interface FakeSubflow {
  readonly token: number;
  ours: 'active' | 'backup';
  readonly peers?: 'backup';
}

/** A fake kernel with subflows over IPv4, by port of the client. It sets and shows their priorities, and counts datagrams. */
export class PriorityKernel {
  readonly subflows = new Map<number, FakeSubflow>();
  /** Ports of the clients' subflows in the order in which their priorities were set. */
  readonly set: number[] = [];
  /** Datagrams that were sent to the path manager and to sock_diag. */
  readonly datagrams = { generic: 0, diag: 0 };
  readonly generic = this.#socket('generic', (message) => this.#setFlags(message));
  readonly diag = this.#socket('diag', (message) => this.#show(message));

  #socket(name: 'generic' | 'diag', answer: (request: Message) => Buffer | undefined): RequestSocket {
    const waiting: Buffer[] = [];
    const native: NativeNetlinkSocket = {
      join: () => undefined,
      onReadable: () => undefined,
      close: () => undefined,
      send: (bytes) => {
        this.datagrams[name]++;
        for (const request of readMessages(Buffer.from(bytes))) {
          const answered = answer(request);
          if (answered) waiting.push(numbered(answered, request.sequence));
        }
      },
      receive: (out) => receiveNext(waiting, out),
    };
    return new RequestSocket(() => native);
  }

  /** MPTCP_PM_CMD_SET_FLAGS. @returns an error if there is no such subflow. */
  #setFlags({ payload }: Message): Buffer | undefined {
    const attributes = readAttributes(payload, 4);
    const [local, remote] = [attributes.nested(1), attributes.nested(6)];
    const port = remote?.u16(5) ?? 0;
    const subflow = this.subflows.get(port);
    if (subflow?.token !== attributes.u32(4)) return refusal(EINVAL);
    subflow.ours = ((local?.u32(6) ?? 0) & 4) === 0 ? 'active' : 'backup';
    this.set.push(port);
    return undefined;
  }

  /** The answer of sock_diag: `inet_diag_msg` with INET_DIAG_ULP_INFO. */
  #show({ payload }: Message): Buffer {
    const port = payload.readUInt16BE(10);
    const subflow = this.subflows.get(port);
    if (!subflow) return refusal(ENOENT);
    const writer = new MessageWriter();
    writer.begin(20, 0, 0);
    const at = writer.reserve(DIAG_MSG);
    writer.bytes[at] = 2;
    writer.bytes[at + 1] = TCP_ESTABLISHED;
    writer.nested(19, () => {
      writer.nested(3, () => {
        writer.u32(2, subflow.token);
        writer.u32(8, 1 + (subflow.peers ? 16 : 0) + (subflow.ours === 'backup' ? 32 : 0));
        writer.attribute(9, 1);
      });
    });
    return Buffer.from(writer.end());
  }
}
