#!/usr/bin/env -S node --inspect-port=192.0.2.1:9229
import './no-debugger.js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CONFIG_FILE, loadConfig } from './config/load.js';
import { ConfigError } from './config/problem.js';
import { ConsoleUnreachable } from './console/terminal/connect.js';
import { ConsoleRefusal, talk } from './console/terminal/talk.js';
import { printable, printableJson } from './util/printable.js';
import { quoteWord } from './util/words.js';
import { KernelError } from './model/kernel-error.js';
import { VERSION } from './version.js';

/** The answer is no. */
const EXIT_NO = 1;
/** Wrong use. */
const EXIT_USAGE = 2;

const DASHES = 'A name that begins with - goes behind --, as in: subflowd primary -- -n lte\n';

const program = new Command('subflowd')
  .description('Decides, per client of an OpenVPN server, which MPTCP subflow carries its tunnel.')
  .version(VERSION)
  .configureOutput({
    outputError: (text, write) => {
      write(printableLines(text));
      if (text.includes('unknown option') && /^(?:status|primary|explain)$/.test(process.argv[2] ?? ''))
        write(DASHES);
    },
  })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE))
  .addHelpText(
    'after',
    `
Begin with: subflowd doctor        what must be true on this host, and what mends it
            subflowd check         the config file
            subflowd run           the daemon; under systemd: systemctl enable --now subflowd
            subflowd status        what it sees and does
            subflowd console       all of it, and OpenVPN's own commands
Exit codes: 0 fine, 1 the answer is no, 2 wrong use`,
  );

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'the config file', DEFAULT_CONFIG_FILE);
}

const CLIENT =
  'common name, CID, real or virtual address, or one of them behind SERVER/; behind -- also what begins with -';

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

command('run', 'Serve the servers of the config file until SIGTERM, SIGINT or SIGQUIT.')
  .addHelpText(
    'after',
    `
It follows the config file: a save takes effect at once, and a file with a mistake changes nothing. It can be stopped
and started at any moment: clients keep the primary they have. It logs to standard error. SIGHUP reads the file again.`,
  )
  .addOption(
    new Option('--log-level <level>', 'least level to log')
      .choices(['debug', 'info', 'warn', 'error'])
      .default('info'),
  )
  .addOption(new Option('--log-format <format>', 'text on a terminal, else json').choices(['text', 'json']))
  .action(
    async ({ config, logLevel, logFormat }: Common & { logLevel: string; logFormat?: 'text' | 'json' }) => {
      // Here and below: what only one command needs is loaded by it alone, so that the others answer at once.
      const [{ Daemon }, { createLog }, { ServiceManager }, { obeySignals }] = await Promise.all([
        import('./daemon.js'),
        import('./util/log.js'),
        import('./service-manager.js'),
        import('./signals.js'),
      ]);
      const log = createLog({
        level: logLevel,
        format: logFormat ?? (process.stderr.isTTY ? 'text' : 'json'),
        isJournal: process.env.JOURNAL_STREAM !== undefined && !process.stderr.isTTY,
      });
      const signals = obeySignals(log);
      const daemon = await Daemon.start(config, log);
      const manager = new ServiceManager();
      manager.ready(`serves ${config}`);
      signals.serve({
        stop: async () => {
          manager.stopping();
          await daemon.stop();
        },
        reload: () => daemon.reload(),
        fail,
      });
    },
  );

command('check', 'Say whether the config file has a mistake, and where.')
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
Every mistake is told as FILE:LINE: [SECTION]: what is wrong and what to write instead. Exit 1 if there is one.
A warning says who is let in that you may not think of; it changes neither the exit code nor what the daemon does.`,
  )
  .action(async ({ config, json }: Common) => {
    const { checkConfigFile } = await import('./config/check.js');
    const { report, text } = await checkConfigFile(config);
    print(json ? printableJson(report, 2) : text);
    if (report.problems.length > 0) process.exitCode = EXIT_NO;
  });

command('doctor', 'Say what must be true on this host and, where it is not, what mends it.')
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
ok       is as it must be
note     works, and could be better
BAD      is not as it must be; 'mend:' is the command or the change that mends it
unknown  cannot be told before something else is mended
Exit 1 if something is BAD. Run it as root.`,
  )
  .action(async ({ config, json }: Common) => {
    const [{ examine }, { checkText }] = await Promise.all([
      import('./doctor/doctor.js'),
      import('./doctor/check.js'),
    ]);
    const checks = await examine(config);
    print(json ? printableJson(checks, 2) : checks.map(checkText).join('\n'));
    if (checks.some(({ verdict }) => verdict === 'bad')) process.exitCode = EXIT_NO;
  });

command('status', 'Show sessions, their subflows, whose wish is what, rule and primary.')
  .argument('[client]', CLIENT, word)
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
Of each session: the rule that counts for it, what came of that, and its subflows with the path each is on. OUR PRIORITY is
what this host asks for, CLIENT'S PRIORITY what the client asks for; a subflow is used as active if both are active.`,
  )
  .action(async (client: string | undefined, { config, json }: Common) => {
    if (json && client !== undefined) program.error('error: --json is of everything: leave the client out');
    const whom = client === undefined ? '' : clientWord(client);
    const lines = await ask(config, json ? 'mptcp status json' : `mptcp status ${whom}`);
    print(json ? printableJson(JSON.parse(lines.join('')), 2) : lines.join('\n'));
  });

command('paths', 'Show the paths, what is on each, and what it carries of what it can.').action(
  async ({ config }: Common) => {
    print((await ask(config, 'mptcp paths')).join('\n'));
  },
);

command('rules', 'Show the rules and overrides, and for how many sessions each counts.')
  .argument('[reload]', 'read the config file again, also where no change of it was seen', reloadWord)
  .action(async (reload: string | undefined, { config }: Common) => {
    print((await ask(config, `mptcp rules ${reload ?? ''}`)).join('\n'));
  });

command(
  'explain',
  'Say which rule counts for a client, which wish, what was written and done with it, what would move it.',
)
  .argument('<client>', CLIENT, word)
  .action(async (client: string, { config }: Common) => {
    print((await ask(config, `mptcp explain ${clientWord(client)}`)).join('\n'));
  });

command('watch', 'Tell of switches and subflows as they happen, until interrupted.')
  .addHelpText(
    'after',
    `
One line each, Unix time first and the client last:
  TIME,SWITCH,FROM,TO,SERVER/COMMON NAME
  TIME,SUBFLOW,ADDED|REMOVED|CHANGED,PATH,CLIENT'S END,OUR WISH,CLIENT'S WISH,SERVER/COMMON NAME`,
  )
  .action(async ({ config }: Common) => {
    const { follow } = await import('./console/terminal/follow.js');
    await follow((await loadConfig(config)).console.socket, print);
  });

command('console', "Type at a console: mptcp commands, and at a server's OpenVPN's own.")
  .argument('[server]', 'NAME of an [openvpn NAME] section; where there is one, it is that', word)
  .addHelpText(
    'after',
    `
With history, completion by Tab, and colour (unless NO_COLOR is set). Ends with exit or Ctrl-D. What is piped into it is
said line by line, and the answers are printed: echo 'status 3' | subflowd console office`,
  )
  .action(async (server: string | undefined, { config: file }: Common) => {
    const { interact } = await import('./console/terminal/interact.js');
    const { servers, console } = await loadConfig(file);
    const shared = servers.filter((each) => each.console);
    const chosen = server === undefined ? undefined : shared.find(({ name }) => name === server);
    if (server !== undefined && chosen === undefined) {
      const known = shared.map(({ name }) => name).join(', ');
      throw new Error(`no server ${JSON.stringify(server)} has a console; known: ${known || 'none'}`);
    }
    await interact(chosen?.console?.socket ?? console.socket);
  });

command('primary', "Put a client on a path whatever its rule says, until 'auto' takes it back.")
  .argument('<client>', CLIENT, word)
  .argument('<path>', 'a path of the config, or auto', word)
  .addHelpText(
    'after',
    `
It is kept over reconnects and restarts. For example:
  subflowd primary alice.example.com lte
  subflowd primary 'office/Bob "The Builder"' wifi    where the servers office and home both know a Bob
  subflowd primary alice.example.com auto             the rules decide again`,
  )
  .action(async (client: string, path: string, { config }: Common) => {
    print((await ask(config, `mptcp primary ${clientWord(client)} ${quoteWord(path)}`)).join('\n'));
  });

program
  .command('layout')
  .description('Make the layout of a kernel that does not describe its structures itself (without BTF).')
  .requiredOption('--vmlinux <file>', "the running kernel's build: uncompressed, with debug information")
  .option('--system-map <file>', "that build's System.map, for a vmlinux without symbols")
  .requiredOption('-o, --output <file>', 'where to write it')
  .addHelpText(
    'after',
    `
Needs pahole (apt-get install dwarves), unless the vmlinux holds BTF. A layout is for one exact build, known by its
build-id; on another one it is refused. For example:
  subflowd layout --vmlinux /usr/lib/debug/boot/vmlinux-$(uname -r) --output /etc/subflowd/layout.json
then, in subflowd.ini:
  [kernel]
  layout = /etc/subflowd/layout.json`,
  )
  .action(async ({ vmlinux, systemMap, output }: { vmlinux: string; systemMap?: string; output: string }) => {
    const [{ makeLayout }, { writeLayout }] = await Promise.all([
      import('./kernel/layout/make-layout.js'),
      import('./kernel/layout/layout-file.js'),
    ]);
    const layout = await makeLayout({
      vmlinux,
      ...(systemMap !== undefined && { systemMap }),
      progress: (what) => process.stderr.write(`${printable(what)}\n`),
    });
    writeLayout(output, layout);
    print(`${output}: layout of Linux ${layout.release}, build-id ${layout.buildId}`);
  });

function reloadWord(text: string): string {
  if (text !== 'reload') throw new InvalidArgumentError('It is reload, or nothing.');
  return text;
}

/** A client as the console takes it, also one that is named like something else. */
function clientWord(client: string): string {
  const word = quoteWord(client);
  return client === 'json' || client.startsWith('-') ? `-- ${word}` : word;
}

function word(text: string): string {
  if (/[\r\n]/.test(text)) throw new InvalidArgumentError('It holds a line break.');
  return text;
}

async function ask(configFile: string, line: string): Promise<readonly string[]> {
  const { console } = await loadConfig(configFile);
  return talk(console.socket, line);
}

function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Errors that were thrown to be read: ours, and the system's. Others are mistakes of this program. */
function isExpected(error: Error): boolean {
  return (
    error.name === 'Error' ||
    error instanceof ConfigError ||
    error instanceof ConsoleRefusal ||
    error instanceof ConsoleUnreachable ||
    error instanceof KernelError
  );
}

function fail(error: unknown): never {
  const { message, stack } = error as Error;
  const text = isExpected(error as Error) ? message : (stack ?? message);
  process.stderr.write(`subflowd: ${printableLines(text)}\n`);
  if (error instanceof KernelError && error.remedy !== undefined) {
    process.stderr.write(`mend: ${printable(error.remedy)} (subflowd doctor tells everything)\n`);
  }
  process.exit(EXIT_NO);
}

// Who reads our output may have seen enough (subflowd status | head).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
