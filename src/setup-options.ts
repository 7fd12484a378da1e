import { Option, type Command } from 'commander';
import { singleLine } from './argument.js';
import type { SetupFlags } from './setup-command.js';

/** Adds `subflowd setup` with its options. */
export function addSetupCommand(program: Command): void {
  program
    .command('setup')
    .description(
      'Set up this host: find its OpenVPN servers, show what would change, ask, and do it; or undo it.',
    )
    .option('--server <name>', 'only this server: the name of its config without .conf', singleLine)
    .option('--observe', 'subflowd plans and logs, and sets nothing (dry-run = yes)')
    .addOption(new Option('--steer', 'ends --observe').conflicts('observe'))
    .option('--dry-run', 'only show what would change')
    .option('--yes', 'do not ask')
    .addOption(
      new Option('--undo', 'make every file, unit and sysctl what it was').conflicts([
        'server',
        'observe',
        'steer',
      ]),
    )
    .addHelpText(
      'after',
      `
A UDP server stays as it is, and gets an instance over TCP beside it. A TCP server gets MPTCP. Scripts, monitors and
passwords that a config names go on working. You can run it again at any time: it does only what is missing.
Backups are in /var/lib/subflowd/setup. Run it as root.`,
    )
    .action(async (options: SetupFlags) => {
      const { runSetup } = await import('./setup-command.js');
      await runSetup(options);
    });
}
