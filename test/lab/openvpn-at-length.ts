// `openvpn-at-length MANAGEMENT`: a stand-in for an OpenVPN server at its management interface, which sends more than a real
// one does here. It answers `test N` as OpenVPN does. At SIGUSR2 it reports 3,000 clients twice, once as waiting and once as
// connected, each with variables of a quarter of a MiB. Then it prints `all told`.
import { chmodSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const NOBODY = 65534;
const CLIENTS = 3_000;
const VARIABLES = 250;
const GREETING =
  'SUCCESS: password is correct\r\n' +
  ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n";

const [, , management = ''] = process.argv;
let current: Socket | undefined;

const control = createServer(serve);
await new Promise<void>((resolve) => control.listen(management, resolve));
chmodSync(management, 0o600);
process.setgroups?.([]);
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);
process.on('SIGUSR2', () => void tell());
process.stdout.write('listening\n');

/** Serves the management client. As with OpenVPN, there is only one. */
function serve(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.write('ENTER PASSWORD:');
  createInterface(socket).on('line', (line) => {
    socket.write(current === socket ? answer(line) : GREETING);
    current = socket;
  });
}

function answer(line: string): string {
  const [command, parameter] = line.split(' ');
  if (command === 'version') return 'OpenVPN Version: stand-in\r\nManagement Version: 5\r\nEND\r\n';
  if (command === 'pid') return `SUCCESS: pid=${process.pid}\r\n`;
  if (command === 'status') return 'TITLE\tstand-in\r\nEND\r\n';
  if (command !== 'test') return 'SUCCESS: \r\n';
  const lines = Array.from(
    { length: Number(parameter) },
    (_, n) => `[${n}] The purpose of this command is to generate large amounts of output.\r\n`,
  );
  return `${lines.join('')}END\r\n`;
}

async function tell(): Promise<void> {
  for (let cid = 0; cid < CLIENTS; cid++) {
    const text = message(`CONNECT,${cid},1`, cid) + message(`ESTABLISHED,${cid}`, cid);
    if (current?.write(text) === false) await once(current, 'drain');
  }
  process.stdout.write('all told\n');
}

function message(kind: string, cid: number): string {
  const variables = [
    `common_name=client${cid}`,
    'trusted_ip=192.0.2.1',
    `trusted_port=${cid + 1}`,
    `daemon_pid=${process.pid}`,
    ...Array.from({ length: VARIABLES }, (_, n) => `UV_${n}=${String(cid).padEnd(1000, 'x')}`),
    'END',
  ];
  return `>CLIENT:${kind}\r\n${variables.map((variable) => `>CLIENT:ENV,${variable}\r\n`).join('')}`;
}
