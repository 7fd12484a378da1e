import type { KernelImage } from './kernel-image.js';
import type { ImageSubflow, SocketLocation } from './kernel-image-types.js';

const CONTEXT = 'mptcp_subflow_context';

/** Makes a socket the meta-socket of a connection, with the structures of upstream Linux. */
export function layOutUpstream(
  image: KernelImage,
  sk: bigint,
  token: number,
  subflows: readonly ImageSubflow[],
): SocketLocation {
  image.place(sk, 'sock', 'sk_protocol', 262n);
  image.place(sk, 'mptcp_sock', 'token', BigInt(token));
  const contexts = subflows.map(() => image.allocate(512));
  const socks = subflows.map((subflow, index) => {
    const [context, tcp] = [contexts[index] as bigint, image.allocate(4096)];
    image.place(context, CONTEXT, 'tcp_sock', tcp);
    image.place(context, CONTEXT, 'conn', sk);
    image.setEndpoints(tcp, subflow);
    image.place(context, CONTEXT, 'remote_id', BigInt(subflow.id ?? 0));
    for (const name of ['fully_established', 'pm_notified', 'mp_join', ...(subflow.bits ?? [])]) {
      image.place(context, CONTEXT, name, 1n);
    }
    return tcp;
  });
  const nodes = contexts.map((context) => image.at(context, CONTEXT, 'node'));
  const ring = [image.at(sk, 'mptcp_sock', 'conn_list'), ...nodes];
  image.linkList(ring);
  const links = nodes.map((node, index) => ({ link: ring[index] as bigint, node }));
  return { sk, contexts, socks, links };
}
