import type { MessageWriter } from './message.js';

// include/uapi/linux/inet_diag.h
const INET_DIAG_REQ_BYTECODE = 1;
const JUMP = 1;
const SOURCE_PORT_IS = 11;
/** `inet_diag_bc_op`, bytes: a code, and the distance to the next operation if the condition is true and if it is false. */
const OPERATION = 4;
/** Three operations: a comparison, its port (stored in the place of an operation), and a jump. */
const STEP = 3 * OPERATION;

/** Largest number of ports in one request. */
export const MAX_PORTS = 24;

/**
 * Adds a filter to a dump: the kernel then returns only sockets on these local ports. The filter is a program in the byte
 * code of inet_diag (net/ipv4/inet_diag.c, inet_diag_bc_run). The kernel returns a socket if the program stops exactly at its
 * end, and skips it if the program jumps beyond its end.
 * @param ports 1 to {@link MAX_PORTS}. With more there is no filter.
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
    // If true, go to the jump or to the end; if false, go to the next comparison or beyond the end.
    operation(at, SOURCE_PORT_IS, 2 * OPERATION, STEP);
    bytes.writeUInt16LE(port, start + at + OPERATION + 2);
    if (!isLast) operation(at + 2 * OPERATION, JUMP, OPERATION, length - at - 2 * OPERATION);
    at += STEP;
  }
}
