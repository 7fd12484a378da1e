#!/usr/bin/env node
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_CONFIG_FILE, loadConfig } from './config/load.js';
import { ConfigError } from './config/problem.js';
import { ConsoleRefusal, ConsoleUnreachable, talk } from './console/talk.js';
import { quoteWord } from './console/words.js';
import type { Check } from './doctor/check.js';
import { KernelError } from './kernel/kernel_error.js';
import { VERSION } from './version.js';

/** The answer is no. */
const EXIT_NO = 1;
/** Wrong use. */
const EXIT_USAGE = 2;

const program = new Command('subflowd')
  .description('Decides, per client of an OpenVPN server, which MPTCP subflow carries its tunnel.')
  .version(VERSION)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE))
  .addHelpText(
    'after',
    `
Begin with: subflowd doctor        what must be true on this host, and what mends it
            subflowd check         the config file
            subflowd run           the daemon; under systemd: systemctl enable --now subflowd
Exit codes: 0 fine, 1 the answer is no, 2 wrong use`,
  );

function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'the config file', DEFAULT_CONFIG_FILE);
}

interface Common {
  readonly config: string;
  readonly json?: boolean;
}

command('run', 'Serve the servers of the config file until SIGTERM or SIGINT.')
  .addOption(
    new Option('--log-level <level>', 'least level to log')
      .choices(['debug', 'info', 'warn', 'error'])
      .default('info'),
  )
  .addOption(new Option('--log-format <format>', 'text on a terminal, else json').choices(['text', 'json']))
  .action(
    async ({ config, logLevel, logFormat }: Common & { logLevel: string; logFormat?: 'text' | 'json' }) => {
      // Here and below: what only one command needs is loaded by it alone, so that the others answer at once.
      const [{ Daemon }, { createLog }] = await Promise.all([import('./daemon.js'), import('./log.js')]);
      const log = createLog({
        level: logLevel,
        format: logFormat ?? (process.stderr.isTTY ? 'text' : 'json'),
      });
      const daemon = await Daemon.start(config, log);
      const stop = () => {
        daemon.stop().then(
          () => process.exit(0),
          (error: unknown) => {
            fail(error);
          },
        );
      };
      process.once('SIGTERM', stop).once('SIGINT', stop);
    },
  );

command('check', 'Say whether the config file has a mistake, and where.')
  .option('--json', 'as JSON')
  .action(async ({ config, json }: Common) => {
    try {
      const loaded = await loadConfig(config);
      print(
        json
          ? JSON.stringify({ file: config, problems: [], config: loaded }, null, 2)
          : `${config}: no mistake`,
      );
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      print(json ? JSON.stringify({ file: config, problems: error.problems }, null, 2) : error.message);
      process.exitCode = EXIT_NO;
    }
  });

command('doctor', 'Say what must be true on this host and, where it is not, what mends it.')
  .option('--json', 'as JSON')
  .action(async ({ config, json }: Common) => {
    const { examine } = await import('./doctor/doctor.js');
    const checks = await examine(config);
    print(json ? JSON.stringify(checks, null, 2) : checks.map(checkText).join('\n'));
    if (checks.some(({ verdict }) => verdict === 'bad')) process.exitCode = EXIT_NO;
  });

command('status', 'Show sessions, their subflows, whose wish is what, rule and primary.')
  .option('--json', 'as JSON')
  .action(async ({ config, json }: Common) => {
    const lines = await ask(config, json ? 'mptcp status json' : 'mptcp status');
    print(json ? JSON.stringify(JSON.parse(lines.join('')), null, 2) : lines.join('\n'));
  });

command('primary', "Put a client on a path whatever its rule says, until 'auto' takes it back.")
  .argument('<client>', 'common name, or SERVER/COMMON NAME', word)
  .argument('<path>', 'a path of the config, or auto', word)
  .action(async (client: string, path: string, { config }: Common) => {
    print((await ask(config, `mptcp primary ${quoteWord(client)} ${quoteWord(path)}`)).join('\n'));
  });

function word(text: string): string {
  if (/[\r\n]/.test(text)) throw new InvalidArgumentError('It holds a line break.');
  return text;
}

async function ask(configFile: string, line: string): Promise<readonly string[]> {
  const { console } = await loadConfig(configFile);
  return talk(console.socket, line);
}

function checkText({ name, verdict, found, remedy }: Check): string {
  const mark = { ok: 'ok     ', note: 'note   ', bad: 'BAD    ', unknown: 'unknown' }[verdict];
  return `${mark} ${name}: ${found}${remedy === undefined ? '' : `\n        mend: ${remedy}`}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): never {
  const expected =
    error instanceof ConfigError ||
    error instanceof ConsoleRefusal ||
    error instanceof ConsoleUnreachable ||
    error instanceof KernelError;
  const { message, stack } = error as Error;
  process.stderr.write(`subflowd: ${expected ? message : (stack ?? message)}\n`);
  if (error instanceof KernelError && error.remedy !== undefined) {
    process.stderr.write(`mend: ${error.remedy} (subflowd doctor tells everything)\n`);
  }
  process.exit(EXIT_NO);
}

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
