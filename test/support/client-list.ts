const COLUMNS = ['Common Name', 'Real Address', 'Virtual Address', 'Connected Since (time_t)', 'Client ID'];

/**
 * The lines of an answer to `status 3`, with their `END`.
 * @param clients each as `NAME ADDRESS CID`, and then optionally `refused` (OpenVPN has not let it in) or when it
 * connected, in Unix time.
 */
export function clientList(clients: readonly string[]): string[] {
  const rows = clients.map((client) => {
    const [name, real, cid, more = '1700000000'] = client.split(' ');
    const [virtual, since] = more === 'refused' ? ['', '1700000000'] : ['10.8.0.2', more];
    return `CLIENT_LIST\t${name}\t${real}\t${virtual}\t${since}\t${cid}`;
  });
  return [`HEADER\tCLIENT_LIST\t${COLUMNS.join('\t')}`, ...rows, 'END'];
}
