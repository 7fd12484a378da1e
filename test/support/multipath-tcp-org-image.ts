import type { KernelImage } from './kernel-image.js';
import type { ImageSubflow, SocketLocation } from './kernel-image-types.js';

const SUB = 'mptcp_tcp_sock';

/** Makes a socket the meta-socket of a connection, with the structures of multipath-tcp.org. */
export function layOutMultipathTcpOrg(
  image: KernelImage,
  sk: bigint,
  token: number,
  subflows: readonly ImageSubflow[],
): SocketLocation {
  // most of it is private data of the path manager
  const mpcb = image.allocate(16_384);
  image.place(sk, 'tcp_sock', 'mpc', 1n);
  image.place(sk, 'tcp_sock', 'mpcb', mpcb);
  image.place(mpcb, 'mptcp_cb', 'meta_sk', sk);
  image.place(mpcb, 'mptcp_cb', 'mptcp_loc_token', BigInt(token));
  const contexts = subflows.map(() => image.allocate(1024));
  const socks = subflows.map((subflow, index) => {
    const [context, tcp] = [contexts[index] as bigint, image.allocate(4096)];
    image.place(tcp, 'tcp_sock', 'mpc', 1n);
    image.place(tcp, 'tcp_sock', 'mpcb', mpcb);
    image.place(tcp, 'tcp_sock', 'mptcp', context);
    image.place(tcp, 'sock', 'sk_protocol', 6n);
    image.place(context, SUB, 'tp', tcp);
    image.setEndpoints(tcp, subflow);
    image.place(context, SUB, 'rem_id', BigInt(subflow.id ?? 0));
    for (const name of ['attached', ...(subflow.bits ?? [])]) image.place(context, SUB, name, 1n);
    return tcp;
  });
  const hasNodes = image.layout.has('mptcp_cb', 'conn_list');
  const nodes = hasNodes ? contexts.map((context) => image.at(context, SUB, 'node')) : socks;
  const heads = [
    image.at(mpcb, 'mptcp_cb', hasNodes ? 'conn_list' : 'connection_list'),
    ...contexts.map((context) => image.at(context, SUB, hasNodes ? 'node' : 'next')),
  ];
  const links = nodes.map((node, index) => ({ link: heads[index] as bigint, node }));
  for (const { link, node } of links) image.setWord(link, node);
  return { sk, contexts, socks, links };
}
