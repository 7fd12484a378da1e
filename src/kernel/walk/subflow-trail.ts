import { isSameFourTuple, type FourTuple } from '../../model/endpoint.js';
import type { Step } from '../../model/kernel-error.js';
import { Trail } from '../commit/trail.js';
import type { Layout } from '../layout/layout.js';
import type { AddressSpace } from '../memory/address-space.js';
import type { EndpointTable } from './endpoint-table.js';
import type { OpenFiles } from './fd-table.js';
import { S_IFMT, S_IFSOCK } from './sockets.js';
import type { SubflowLocation } from './subflow-location.js';

const [TYPE_BITS, SOCKET_TYPE] = [BigInt(S_IFMT), BigInt(S_IFSOCK)];

/**
 * The first guards of every trail: from the task to the meta-socket and its four-tuple.
 * @returns undefined if one of them already fails.
 */
export function trailToMetaSocket(
  space: AddressSpace,
  layout: Layout,
  endpoints: EndpointTable,
  pid: number,
  { table }: OpenFiles,
  { file, connection }: SubflowLocation,
): Trail | undefined {
  const trail = new Trail((address) => space.toPhysical(address));
  const at = (base: bigint, struct: string, member: string) =>
    base + BigInt(layout.field(struct, member).offset);
  const pidBytes = new Uint8Array(4);
  new DataView(pidBytes.buffer).setUint32(0, pid, true);
  const slot = table.array + 8n * BigInt(file.fd);
  const areAccepted =
    trail.expectBytes('task', 'its pid', at(table.task, 'task_struct', 'pid'), pidBytes) &&
    trail.expectPointer('task', 'its files', at(table.task, 'task_struct', 'files'), table.files) &&
    trail.expectPointer('fd table', 'fdt', at(table.files, 'files_struct', 'fdt'), table.fdt) &&
    trail.expectPointer('fd table', 'its array', at(table.fdt, 'fdtable', 'fd'), table.array) &&
    trail.expectPointer('fd table', `the file of fd ${file.fd}`, slot, file.file) &&
    (file.dentry === undefined
      ? trail.expectPointer('file', 'its inode', at(file.file, 'file', 'f_inode'), file.inode)
      : trail.expectPointer('file', 'its dentry', at(file.file, 'file', 'f_path.dentry'), file.dentry) &&
        trail.expectPointer('file', 'its inode', at(file.dentry, 'dentry', 'd_inode'), file.inode)) &&
    trail.expectBits('inode', 'its type', at(file.inode, 'inode', 'i_mode'), 2, TYPE_BITS, SOCKET_TYPE) &&
    trail.expectPointer('socket', 'its file', at(file.socket, 'socket', 'file'), file.file) &&
    trail.expectPointer('socket', 'its sock', at(file.socket, 'socket', 'sk'), file.sk) &&
    expectFourTuple(trail, endpoints, 'meta-socket', file.sk, connection);
  return areAccepted ? trail : undefined;
}

/**
 * Adds guards for the family, state and four-tuple of a TCP socket. A meta-socket has those of its first subflow.
 * @returns false if the socket does not have this four-tuple.
 */
export function expectFourTuple(
  trail: Trail,
  endpoints: EndpointTable,
  step: Step & ('meta-socket' | 'subflow'),
  sk: bigint,
  fourTuple: FourTuple,
): boolean {
  endpoints.read(BigUint64Array.of(sk));
  if (!endpoints.isEstablished(0)) return false;
  const found = { local: endpoints.local(0), remote: endpoints.remote(0) };
  if (!isSameFourTuple(found, fourTuple)) return false;
  return endpoints
    .identifyingFields(0)
    .every(({ what, address, bytes }) => trail.expectBytes(step, what, address, bytes));
}
