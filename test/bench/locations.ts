import type { OpenFiles } from '../../src/kernel/walk/fd-table.js';
import type { OpenKernel } from '../../src/kernel/kernel.js';
import type { Floor } from './floor.js';

const PAGE = 4096n;

const MEMBERS = [
  ...['task_struct.tasks', 'task_struct.pid', 'task_struct.files', 'files_struct.fdt', 'fdtable.max_fds', 'fdtable.fd'],
  ...['file.f_inode', 'inode.i_mode', 'socket_alloc.socket', 'socket_alloc.vfs_inode', 'socket.sk', 'sock.sk_protocol'],
  ...['skc_family', 'skc_state', 'skc_dport', 'skc_num', 'skc_daddr', 'skc_rcv_saddr'].map((m) => `sock_common.${m}`),
  ...['sock_common.skc_v6_daddr', 'sock_common.skc_v6_rcv_saddr', 'mptcp_sock.conn_list'],
  ...['mptcp_subflow_context.node', 'mptcp_subflow_context.tcp_sock'],
] as const; // prettier-ignore
const BITS = ['request_bkup', 'backup', 'send_mp_prio'] as const;

/** Sends the C++ program the offset or address of everything that native/walk.cc reads, for upstream Linux. */
export async function setLocations(
  floor: Floor,
  { space, layout, tasks }: OpenKernel,
  files: OpenFiles,
): Promise<void> {
  const set = (name: string, value: bigint | number) => floor.ask('set', name, value);
  for (const name of MEMBERS) {
    const [struct = '', member = ''] = name.split('.');
    await set(name, layout.field(struct, member).offset);
  }
  for (const bit of BITS)
    await set(`mptcp_subflow_context.${bit}:`, layout.bits('mptcp_subflow_context', bit).bitOffset);
  await set('direct', space.directMap.base);
  await set('text', space.text);
  await set('code', space.toPhysical(space.text) ?? 0n);
  await set('task', files.table.task);
  // In the task list, PID 1 follows init_task.
  const list = BigInt(layout.field('task_struct', 'tasks').offset);
  await set('init_task', (space.readPointer(tasks.find(1) + list + 8n) ?? 0n) - list);
  // An array in vmalloc space has a separate physical address for each page.
  const { base } = space.directMap;
  if (space.toPhysical(files.table.array) === files.table.array - base) return;
  const end = files.table.array + 8n * BigInt((files.fds.at(-1) ?? 0) + 1);
  for (
    let page = files.table.array - (files.table.array % PAGE), index = 0;
    page < end;
    page += PAGE, index++
  )
    await set(`array:${index}`, space.toPhysical(page) ?? 0n);
}
