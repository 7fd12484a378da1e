// `openvpn-stand-in PORT MANAGEMENT EVENTS`, under mptcpize: behaves towards subflowd like an OpenVPN server with thousands of
// clients, because so many real clients do not fit on a machine. Every connection to PORT is a session. When it begins and
// ends, the real hooks run, one after another, as with OpenVPN. `status 3` at the management interface lists the sessions.
// After each change the program prints `NUMBER sessions`.
import { spawn } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { checkout } from '../lab/checkout.js';

const NOBODY = 65534;
/** Every password is accepted. */
const GREETING =
  'SUCCESS: password is correct\r\n' +
  ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";
const COLUMNS = (
  'Common Name,Real Address,Virtual Address,Virtual IPv6 Address,Bytes Received,Bytes Sent,' +
  'Connected Since,Connected Since (time_t),Username,Client ID,Peer ID,Data Channel Cipher'
).split(',');
/** A shell that runs each hook in a subshell. That is a new process for each hook, but cheaper than a start from Node. */
const HOOKS = `while read -r script_type trusted_ip trusted_port ifconfig_pool_remote_ip common_name; do
  (. '${checkout}/hooks/'"$script_type") </dev/null
  echo "$script_type $common_name"
done`;

/** The connect time of every client, Unix time in seconds. As with OpenVPN, hooks and status get the same value. */
const SINCE = Math.floor(Date.now() / 1000);

const [port, management = '', events = ''] = process.argv.slice(2);
const sessions = new Map<number, string>();
let serial = 0;

const control = createServer(serve);
await new Promise<void>((resolve) => control.listen(management, resolve));
chmodSync(management, 0o600);
const clients = createServer(session);
await new Promise<void>((resolve) =>
  clients.listen({ port: Number(port), host: '::', backlog: 4096 }, resolve),
);
process.setgroups?.([]);
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);

const shell = spawn('sh', ['-c', HOOKS], {
  stdio: ['pipe', 'pipe', 'inherit'],
  env: {
    ...{ daemon_pid: `${process.pid}`, time_unix: `${SINCE}`, dev: 'tun0', config: 'server.conf' },
    SUBFLOWD_EVENTS: events,
  },
});
const ran = new Map<string, () => void>();
createInterface(shell.stdout).on('line', (line) => {
  ran.get(line)?.();
  ran.delete(line);
});
process.stdout.write('listening\n');

/** Serves a client. It is in the list from the end of its first hook to the end of its last one. */
function session(socket: Socket): void {
  const { remoteAddress = '', remotePort = 0 } = socket;
  const address = remoteAddress.replace('::ffff:', '');
  const number = serial++;
  const virtual = `10.${8 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  const real = `${address}:${remotePort}`;
  const line = [`client-${number}`, real, virtual, '', 0, 0, 'now', SINCE, 'UNDEF', number, 0, ''].join('\t');
  const hook = (type: string, act: () => void) => {
    // Not by its port: another client may have the same port before this client's last hook has run.
    ran.set(`${type} client-${number}`, () => {
      act();
      process.stdout.write(`${sessions.size} sessions\n`);
    });
    shell.stdin.write(`${type} ${address} ${remotePort} ${virtual} client-${number}\n`);
  };
  hook('client-connect', () => sessions.set(number, `CLIENT_LIST\t${line}\r\n`));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    hook('client-disconnect', () => sessions.delete(number));
  });
  socket.pipe(socket);
}

/** Serves the management client. As with OpenVPN, there is only one. */
function serve(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.write('ENTER PASSWORD:');
  let isLoggedIn = false;
  createInterface(socket).on('line', (line) => {
    socket.write(isLoggedIn ? answer(line) : GREETING);
    isLoggedIn = true;
  });
}

function answer(line: string): string {
  const [command] = line.split(' ');
  if (command === 'version') return 'OpenVPN Version: stand-in\r\nManagement Version: 5\r\nEND\r\n';
  if (command === 'pid') return `SUCCESS: pid=${process.pid}\r\n`;
  if (command !== 'status') return 'SUCCESS: \r\n';
  return `TITLE\tstand-in\r\nHEADER\tCLIENT_LIST\t${COLUMNS.join('\t')}\r\n${[...sessions.values()].join('')}END\r\n`;
}
