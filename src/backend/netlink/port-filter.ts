import type { MessageWriter } from './message.js';

// include/uapi/linux/inet_diag.h
const INET_DIAG_REQ_BYTECODE = 1;
const JUMP = 1;
const SOURCE_PORT_IS = 11;
/** `inet_diag_bc_op`, bytes: a code, and how far to go on where it holds and where it does not. */
const OPERATION = 4;
/** A comparison, the port that it compares with, which stands in an operation's place, and a jump. */
const STEP = 3 * OPERATION;

/** Ports that one request has room for. */
export const MAX_PORTS = 24;

/**
 * Has the kernel leave out of a dump what is on none of these ports of this host, so that it is not copied to us: a small
 * program of the kernel's own language for that (net/ipv4/inet_diag.c, inet_diag_bc_run). It takes a socket where it ends
 * exactly at its own end, and rejects one where it goes beyond.
 * @param ports 1 to {@link MAX_PORTS}; of more, none is left out.
 */
export function writePortFilter(request: MessageWriter, ports: ReadonlySet<number>): void {
  if (ports.size === 0 || ports.size > MAX_PORTS) return;
  const length = ports.size * STEP - OPERATION;
  const start = request.attribute(INET_DIAG_REQ_BYTECODE, length);
  const { bytes } = request;
  const operation = (at: number, code: number, yes: number, no: number) => {
    bytes[start + at] = code;
    bytes[start + at + 1] = yes;
    bytes.writeUInt16LE(no, start + at + 2);
  };
  let at = 0;
  for (const port of ports) {
    const isLast = at + STEP > length;
    // to the jump, or to the end; else to the next comparison, or beyond the end
    operation(at, SOURCE_PORT_IS, 2 * OPERATION, STEP);
    bytes.writeUInt16LE(port, start + at + OPERATION + 2);
    if (!isLast) operation(at + 2 * OPERATION, JUMP, OPERATION, length - at - 2 * OPERATION);
    at += STEP;
  }
}
