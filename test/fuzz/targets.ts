import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MAX_TEXT_LENGTH, parseConfig } from '../../src/config/parse.js';
import { MultiLineCommand } from '../../src/console/sharing/multi-line-command.js';
import { BadMessageError, FrameReader } from '../../src/helper/frames.js';
import { readRequest } from '../../src/helper/read-request.js';
import { Btf } from '../../src/kernel/layout/btf.js';
import { buildIdOf } from '../../src/kernel/layout/build-id.js';
import { layoutFromBtf } from '../../src/kernel/layout/layout.js';
import { parseLayout } from '../../src/kernel/layout/layout-file.js';
import { parseSymbols } from '../../src/kernel/layout/symbols.js';
import { KernelError } from '../../src/model/kernel-error.js';
import { linesOf, readConfigLines, repeatedHooks } from '../../src/openvpn/config-file.js';
import { readClientMessage } from '../../src/openvpn/management/client-messages.js';
import { keepReadableCharacters, parseLine } from '../../src/openvpn/management/command-line.js';
import { MAX_MESSAGE_BYTES, MessageReader } from '../../src/openvpn/management/message-reader.js';
import { MAX_SESSIONS, parseStatus } from '../../src/openvpn/management/status.js';
import { parseRecord, parseRecordName } from '../../src/openvpn/records/record.js';
import { LineSplitter, TooLongError } from '../../src/util/lines.js';
import { encodeFrame } from '../../src/helper/frames.js';
import { checkout } from '../lab/checkout.js';
import { btfBytes } from '../support/btf-bytes.js';
import { clientList } from '../support/client-list.js';
import { must, type FuzzTarget } from './target.js';

/** Longest message that the helper reads here, bytes. */
const MAX_FRAME = 64 * 1024;
/** Longest line that the splitter may keep here, bytes. */
const MAX_LINE = 1_000;

const text = (...parts: string[]) => Buffer.from(parts.join('\n'));
const file = (name: string) => readFileSync(path.join(checkout, name));

const RECORD = Buffer.from(
  'subflowd-event=1\0daemon_pid=4321\0trusted_ip=192.168.100.2\0trusted_port=40000\0common_name=alice\0' +
    'ifconfig_pool_remote_ip=10.8.0.2\0time_unix=1700000000\0dev=tun0\0config=office.conf\0proto_1=tcp-server\0end\0',
);

const MESSAGES = text(
  '>CLIENT:ESTABLISHED,7',
  '>CLIENT:ENV,common_name=alice',
  '>CLIENT:ENV,trusted_ip=192.168.100.2',
  '>CLIENT:ENV,END',
  '>CLIENT:CONNECT,8,1',
  '>CLIENT:ENV,END',
  '>BYTECOUNT_CLI:7,100,200',
  '>HOLD:Waiting for hold release:10',
  '',
);

/** Every part that reads what another program or person wrote. `npm run fuzz` tries them, and test/unit/fuzz a little. */
export const TARGETS: readonly FuzzTarget[] = [
  {
    name: 'btf',
    seeds: () => [
      btfBytes([
        {
          name: 'sock',
          members: [
            ['sk_prot', 3],
            ['sk_state', 3],
          ],
        },
        {
          name: 'mptcp_sock',
          members: [
            ['sk', 1],
            ['token', 3],
          ],
        },
      ]),
    ],
    words: ['sock', 'mptcp_subflow_context', 'task_struct'],
    refusals: [KernelError],
    read: (input) => layoutFromBtf(new Btf(input)),
  },
  {
    name: 'layout',
    seeds: () => [
      file('test/support/layouts/linux-6.1.json'),
      file('test/support/layouts/linux-4.14-mptcp.json'),
    ],
    words: ['"offset"', '"symbols"', '-1', '1e400', 'null', '"__proto__"', '0xffffffffffffffff'],
    refusals: [KernelError],
    read: (input) => parseLayout(input.toString('utf8'), 'a layout'),
  },
  {
    name: 'symbols',
    seeds: () => [
      text('ffffffff81000000 T _text', 'ffffffff82a00000 D init_task', '0000000000000000 D x', ''),
    ],
    words: ['init_task', ' D ', 'ffffffffffffffff', '\n'],
    refusals: [KernelError],
    read: (input) => parseSymbols(input),
  },
  {
    name: 'build-id',
    seeds: () => [
      Buffer.from('040000001400000003000000474e5500000102030405060708090a0b0c0d0e0f10111213', 'hex'),
    ],
    words: ['GNU\0'],
    refusals: [KernelError],
    read: (input) => buildIdOf(input),
  },
  {
    name: 'record',
    seeds: () => [RECORD],
    words: ['\0end\0', '=', '::ffff:10.0.0.1', 'fe80::1%eth0', 'proto_2=udp6', '4294967295'],
    refusals: [],
    read: (input) => {
      const result = parseRecord(input);
      if (!('record' in result)) return;
      const { pid, real } = result.record;
      must(Number.isInteger(pid) && pid > 0, 'the PID of a record is a positive integer');
      must(real.port > 0 && real.port < 65_536, 'the port of a record is from 1 to 65535');
    },
  },
  {
    name: 'record-name',
    seeds: () => [text('4321-192.168.100.2-40000-1700000000-10.8.0.2'), text('4321-2001:db8::1-40000')],
    words: ['-', '%', '..', '/', '99999999999'],
    refusals: [],
    read: (input) => parseRecordName(input.toString('utf8')),
  },
  {
    name: 'status',
    seeds: () => [
      text(
        ...clientList([
          'alice 192.168.100.2:40000 1',
          'bob [2001:db8::2]:5 2 refused',
          'carol tcp4:10.0.0.1:6 3',
        ]),
      ),
    ],
    words: ['\t', 'CLIENT_LIST\t', 'HEADER\tCLIENT_LIST\t', 'UNDEF', 'GLOBAL_STATS\tdco_enabled\t1', '1e9'],
    refusals: [],
    read: (input) => {
      const { clients, unnamed } = parseStatus(input.toString('utf8').split('\n'));
      must(
        clients.length <= MAX_SESSIONS && unnamed.length <= MAX_SESSIONS,
        'a server has at most MAX_SESSIONS',
      );
    },
  },
  {
    name: 'management',
    seeds: () => [MESSAGES],
    words: ['>CLIENT:', 'ENV,END', '>CLIENT:DISCONNECT,', '\r\n', 'ENTER PASSWORD:', '>UPDOWN:UP'],
    refusals: [TooLongError],
    read: (input) => {
      const whole = new LineSplitter(MAX_MESSAGE_BYTES).push(input);
      const splitter = new LineSplitter(MAX_MESSAGE_BYTES);
      const parts = [
        splitter.push(input.subarray(0, input.length >> 1)),
        splitter.push(input.subarray(input.length >> 1)),
      ];
      must(JSON.stringify(parts.flat()) === JSON.stringify(whole), 'lines do not depend on how they arrive');
      const messages = new MessageReader();
      for (const line of whole) {
        const message = messages.push(line);
        if (message !== undefined) readClientMessage(message);
      }
    },
  },
  {
    name: 'lines',
    seeds: () => [MESSAGES],
    words: ['\n', '\r\n', '\u00e9', '\ufffd'],
    refusals: [TooLongError],
    read: (input) => {
      for (const line of new LineSplitter(MAX_LINE).push(input))
        must(
          Buffer.byteLength(line) <= 3 * MAX_LINE,
          'a line is no longer than the limit, with U+FFFD for bad bytes',
        );
    },
  },
  {
    name: 'ini',
    seeds: () => [
      file('openvpn-conf/subflowd.ini'),
      text('[path wifi]', 'prefix = 10.0.0.0/8', '[default]', 'primary = wifi', ''),
    ],
    words: [
      '[path lte]',
      '[client a*]',
      '[openvpn x]',
      'prefix = ::/0',
      'primary = ',
      'quota = lte 5GB/month',
      '=',
      ';',
      '\\',
      '[',
      '__proto__',
    ],
    refusals: [],
    read: (input) => {
      const config = input.toString('utf8');
      const result = parseConfig(config);
      must(config.length <= MAX_TEXT_LENGTH || !result.ok, 'a longer text is refused');
      if (!result.ok) must(result.problems.length > 0, 'a refusal says why');
    },
  },
  {
    name: 'openvpn-config',
    seeds: () => [
      text('port 1194', '<ca>', 'x', '</ca>', 'client-connect "/etc/a b" c', 'config x', '# comment', ''),
      file('openvpn-conf/server.conf'),
    ],
    words: ['config x', '<connection>', '"', "'", '\\', '--', 'client-connect x', '\t'],
    refusals: [],
    read: (input) => {
      const config = input.toString('utf8');
      const lines = readConfigLines('x', '/', () => config);
      linesOf(lines, 'client-connect');
      repeatedHooks(lines);
    },
  },
  {
    name: 'console',
    seeds: () => [
      text('client-auth 7 1', 'push "route 10.0.0.0 255.0.0.0"', 'END'),
      text('pk-sig', 'AAAA', 'END'),
    ],
    words: ['END', '"', "'", '\\', ';', '#', 'client-deny 1 2 "x" "y"', 'mptcp primary a b'],
    refusals: [],
    read: (input) => {
      const [head = '', ...rest] = input.toString('latin1').split('\n').map(keepReadableCharacters);
      parseLine(head);
      const command = new MultiLineCommand(head);
      for (const line of rest) {
        const complete = command.push(line);
        if (complete === undefined) continue;
        must(
          complete.refusal !== undefined || complete.request.text.endsWith('END'),
          'a command ends with END',
        );
        break;
      }
    },
  },
  {
    name: 'helper',
    seeds: () => [
      encodeFrame({ id: 1, do: 'open', version: 1, backend: 'auto', layout: 'btf' }),
      encodeFrame({ id: 2, do: 'look', pid: 4321 }),
      encodeFrame({ id: 4, do: 'watch', pids: [4321] }),
      encodeFrame({ id: 5, do: 'limit', withSession: 8, withoutSession: 2, tokens: [[4321, [9]]] }),
      encodeFrame({ id: 6, do: 'announce', announcements: [{ pid: 1, token: 9, addresses: ['192.0.2.5'] }] }),
    ],
    words: ['"do"', '"set"', '-1', '1e999', 'null', '[]', '"__proto__"', '../'],
    refusals: [BadMessageError],
    read: (input) => {
      for (const message of new FrameReader(MAX_FRAME).push(input)) readRequest(message);
    },
  },
];
