/** The most clients of one status file that are counted. */
const MAX_CLIENTS = 100_000;

/** The addresses of the clients in a status file of OpenVPN, of any `status-version`, without ports. */
export function clientAddresses(status: string): string[] {
  const found: string[] = [];
  let isFirstList = false;
  for (const line of status.split('\n')) {
    if (found.length >= MAX_CLIENTS) break;
    const words = line.split(/[,\t]/);
    if (words[0] === 'CLIENT_LIST') found.push(addressOf(words[2] ?? ''));
    // version 1 has its lines between two titles
    else if (line.startsWith('Common Name,Real Address')) isFirstList = true;
    else if (line.startsWith('ROUTING TABLE')) isFirstList = false;
    else if (isFirstList && words.length >= 4) found.push(addressOf(words[1] ?? ''));
  }
  return found.filter((address) => address !== '');
}

/** `192.0.2.1:1194`, `tcp4-server:192.0.2.1:1194` (2.7), `[2001:db8::1]:1194`, or an IPv6 address without a port. */
function addressOf(real: string): string {
  const text = real.replace(/^(?:tcp|udp)[46]?(?:-server)?:/, '');
  const [, bracketed] = /^\[(.*)\](?::\d+)?$/.exec(text) ?? [];
  if (bracketed !== undefined) return bracketed;
  const [, ipv4] = /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(text) ?? [];
  return ipv4 ?? (text.includes(':') ? text : '');
}
