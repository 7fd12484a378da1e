import { Command, InvalidArgumentError, Option } from 'commander';
import { singleLine } from './argument.js';
import { DEFAULT_CONFIG_FILE } from './config/config-text.js';
import {
  DAEMON_COMMANDS,
  type DaemonCommand,
  type DaemonCommandName,
} from './console/terminal/daemon-commands.js';
import type { LayoutOptions } from './layout-command.js';
import { HELPER_SOCKET } from './model/helper-socket.js';
import { EXIT_NO, endWithReader, fail, print, printableLines, printNote } from './output.js';
import type { RunOptions } from './run-daemon.js';
import type { HelperChoice } from './run-helper.js';
import { addSetupCommand } from './setup-options.js';
import { printableJson } from './util/printable.js';
import { VERSION } from './version.js';

/** Exit code of a wrong command line. */
const EXIT_USAGE = 2;

/** What to do about a client's name that looks like an option. */
const DASHES_HINT = 'Write -- before a name that begins with -, for example: subflowd primary -- -n lte\n';

const program = new Command('subflowd')
  .description('Decides for each client of an OpenVPN server which MPTCP subflow carries its tunnel.')
  .version(VERSION)
  .configureOutput({
    outputError: (text, write) => {
      write(printableLines(text));
      if (text.includes('unknown option') && /^(?:status|primary|explain)$/.test(process.argv[2] ?? ''))
        write(DASHES_HINT);
    },
  })
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE))
  .addHelpText(
    'after',
    `
Begin with: subflowd setup         set up this host; subflowd setup --undo is the way back
            subflowd doctor        check this host, and say how to fix it
            subflowd check         check the config file
            subflowd run           run the daemon; under systemd: systemctl enable --now subflowd
            subflowd status        show what the daemon observes and does
            subflowd console       give all commands, also those of OpenVPN
Exit codes: 0 success, 1 the answer is no, or an error, 2 wrong command line`,
  );

/** A subcommand that reads the config file. */
function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'the config file', DEFAULT_CONFIG_FILE);
}

/** The log of a service. Each service loads the modules that only it needs, so that the others start fast. */
const LOG_LEVEL = new Option('--log-level <level>', 'lowest level that is logged')
  .choices(['debug', 'info', 'warn', 'error'])
  .default('info');
const LOG_FORMAT = new Option(
  '--log-format <format>',
  'text on a terminal, sentences with fields in the journal, else json',
).choices(['text', 'json']);

/** How the help describes a client. */
const CLIENT =
  'common name, CID, real or virtual address, also as SERVER/...; write -- before one that begins with -';

interface CommonOptions {
  readonly config: string;
  readonly json?: boolean;
}

command('run', 'Run the daemon for the servers of the config file, until SIGTERM, SIGINT or SIGQUIT.')
  .addHelpText(
    'after',
    `
It watches the config file: a change takes effect at once, and a file with a mistake changes nothing. SIGHUP makes it
read the file again. You can stop and start it at any time: clients keep their primary path. It logs to standard error.
It needs no rights of its own: subflowd helper does what needs some. With --single it does that itself, as root.`,
  )
  .addOption(LOG_LEVEL)
  .addOption(LOG_FORMAT)
  .option('--helper <socket>', 'where the helper listens', HELPER_SOCKET)
  .option('--single', 'run without a helper: one process with all rights, where there is no service manager')
  .action(async (options: RunOptions) => (await import('./run-daemon.js')).runDaemon(options));

program
  .command('helper')
  .description('Run the helper, which asks the kernel for what the daemon wants. systemd starts it.')
  .addOption(LOG_LEVEL)
  .addOption(LOG_FORMAT)
  .option('--socket <path>', 'where to listen, if systemd passes no socket', HELPER_SOCKET)
  .option('--user <user>', 'name or number of the user of the daemon', 'subflowd')
  .option('--unit <glob...>', 'touch only OpenVPN that runs in these systemd units', [])
  .action(async (options: HelperChoice) => (await import('./run-helper.js')).runHelper(options));

command('check', 'Check the config file for mistakes.')
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
It prints each mistake as FILE:LINE: [SECTION]: what is wrong and what to write instead. Exit 1 if there is one.
A warning names people who have access and whom you may not expect. It changes neither the exit code nor the daemon.`,
  )
  .action(async ({ config, json }: CommonOptions) => {
    const { checkConfigFile } = await import('./config/check.js');
    const { report, text } = await checkConfigFile(config);
    print(json ? printableJson(report, 2) : text);
    if (report.problems.length > 0) process.exitCode = EXIT_NO;
  });

command('doctor', 'Check what must be true on this host, and say how to fix what is not.')
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
ok       nothing to do
note     it works, but could work better
BAD      it does not work; 'to fix it:' is the command or the change that helps
unknown  it cannot be checked before something else is fixed
Exit 1 if something is BAD. Run it as root.`,
  )
  .action(async ({ config, json }: CommonOptions) => {
    const [{ examine }, { checkText }] = await Promise.all([
      import('./doctor/doctor.js'),
      import('./doctor/check-text.js'),
    ]);
    const checks = await examine(config);
    print(json ? printableJson(checks, 2) : checks.map(checkText).join('\n'));
    if (checks.some(({ verdict }) => verdict === 'bad')) process.exitCode = EXIT_NO;
  });

addSetupCommand(program);

command('status', 'Show sessions, their subflows and priorities, their rule and their primary path.')
  .argument('[client]', CLIENT, singleLine)
  .option('--json', 'as JSON')
  .addHelpText(
    'after',
    `
For each session: the rule that applies to it, its state, and its subflows, each with its path. OUR PRIORITY is what
this host asks for, CLIENT'S PRIORITY what the client asks for. A subflow is used as active if both are active.`,
  )
  .action((client: string | undefined, options: CommonOptions) => {
    if (options.json && client !== undefined)
      program.error('error: --json prints everything: leave the client out');
    return answer('status', client === undefined ? [] : [client], options);
  });

command('paths', 'Show the paths, the sessions on each, its rate and its capacity.')
  .option('--json', 'as JSON')
  .action((options: CommonOptions) => answer('paths', [], options));

command('rules', 'Show the rules and overrides, and to how many sessions each applies.')
  .argument('[reload]', 'read the config file again, even if no change was noticed', reloadWord)
  .option('--json', 'as JSON')
  .action((reload: string | undefined, options: CommonOptions) => {
    if (options.json && reload !== undefined)
      program.error('error: --json shows the rules: leave reload out');
    return answer('rules', reload === undefined ? [] : [reload], options);
  });

command(
  'explain',
  'Explain which rule applies to a client, what was set and with what result, and what would move the client.',
)
  .argument('<client>', CLIENT, singleLine)
  .option('--json', 'as JSON')
  .action((client: string, options: CommonOptions) => answer('explain', [client], options));

command('watch', 'Print switches and changes of subflows as they happen, until interrupted.')
  .option('--json', 'one object for each, also on a terminal')
  .addHelpText(
    'after',
    `
On a terminal, each is a sentence with the local time. Elsewhere, it is a line with the Unix time first and the client
last:
  TIME,SWITCH,FROM,TO,SERVER/COMMON NAME
  TIME,SUBFLOW,ADDED|REMOVED|CHANGED,PATH,CLIENT'S ENDPOINT,OUR PRIORITY,CLIENT'S PRIORITY,SERVER/COMMON NAME`,
  )
  .action(async ({ config, json = false }: CommonOptions) => {
    const [{ follow }, { watchText }, { withConsole }] = await Promise.all([
      import('./console/terminal/follow.js'),
      import('./console/terminal/watch-text.js'),
      import('./console/terminal/with-console.js'),
    ]);
    const show = (line: string) => {
      print(process.stdout.isTTY && !json ? watchText(line) : line);
    };
    await withConsole(config, ({ own }) => follow(own, show, json));
  });

command(
  'console',
  'Open a console: for mptcp commands, and at the console of a server also for those of OpenVPN.',
)
  .argument('[server]', 'NAME of an [openvpn NAME] section; by default the console of subflowd', singleLine)
  .addHelpText(
    'after',
    `
It has a history, completion with Tab, and colours (unless NO_COLOR is set). It ends with exit or Ctrl-D. It sends piped
input line by line, and prints the answers: echo 'status 3' | subflowd console office
Exit code 1: an answer to piped input was an error, or the daemon ended meanwhile.`,
  )
  .action(async (server: string | undefined, { config: file }: CommonOptions) => {
    const [{ interact }, { withConsole }] = await Promise.all([
      import('./console/terminal/interact.js'),
      import('./console/terminal/with-console.js'),
    ]);
    await withConsole(file, async ({ own, servers }) => {
      const socket = server === undefined ? own : servers.get(server);
      if (socket === undefined) {
        const known = [...servers.keys()].join(', ');
        throw new Error(`no server ${JSON.stringify(server)} has a console; known: ${known || 'none'}`);
      }
      const { hasError, isLost } = await interact(socket);
      if (isLost)
        printNote(
          'the console ended: the daemon or OpenVPN has stopped, or restarts (systemctl status subflowd)',
        );
      if (hasError || isLost) process.exitCode = EXIT_NO;
    });
  });

command(
  'primary',
  "Override the rule of a client: make this path primary, until 'auto' removes the override.",
)
  .argument('<client>', CLIENT, singleLine)
  .argument('<path>', 'a path of the config, or auto', singleLine)
  .addHelpText(
    'after',
    `
The override is kept over reconnects and restarts. For example:
  subflowd primary alice.example.com lte
  subflowd primary 'office/Bob "The Builder"' wifi    if the servers office and home both have a Bob
  subflowd primary alice.example.com auto             remove the override`,
  )
  .action((client: string, path: string, options: CommonOptions) =>
    answer('primary', [client, path], options),
  );

program
  .command('layout')
  .description('Make a layout file for a kernel that does not describe its structures (without BTF).')
  .requiredOption('--vmlinux <file>', "the running kernel's build: uncompressed, with debug information")
  .option('--system-map <file>', "that build's System.map, for a vmlinux without symbols")
  .requiredOption('-o, --output <file>', 'where to write it')
  .addHelpText(
    'after',
    `
This needs pahole (apt-get install dwarves), unless the vmlinux contains BTF. A layout is for one exact build, which the
build-id identifies; subflowd refuses it on another build. For example:
  subflowd layout --vmlinux /usr/lib/debug/boot/vmlinux-$(uname -r) --output /etc/subflowd/layout.json
then, in subflowd.ini:
  [kernel]
  layout = /etc/subflowd/layout.json`,
  )
  .action(async (options: LayoutOptions) => (await import('./layout-command.js')).runLayout(options));

program
  .command('complete', { hidden: true })
  .argument('[words...]')
  .action(async (words: readonly string[]) => {
    const { completeShell } = await import('./complete-command.js');
    const found = await completeShell(program, words);
    if (found.length > 0) print(found.join('\n'));
  });

function reloadWord(text: string): string {
  if (text !== 'reload') throw new InvalidArgumentError('Write reload, or nothing.');
  return text;
}

/** Sends one command to the running daemon, and prints the answer. */
async function answer(
  name: DaemonCommandName,
  given: readonly string[],
  { config, json = false }: CommonOptions,
): Promise<void> {
  const { askDaemon } = await import('./console/terminal/ask-daemon.js');
  const command: DaemonCommand = DAEMON_COMMANDS[name];
  const lines = await askDaemon(config, command.line(given, json), printNote);
  print(json ? printableJson(JSON.parse(lines.join('')), 2) : lines.join('\n'));
}

endWithReader();

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
