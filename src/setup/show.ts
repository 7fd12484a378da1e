import { diff } from './diff.js';
import { DAEMON_USER } from './manifest.js';
import { managementOf } from './management.js';
import type { ServerFacts } from './facts.js';
import { commandsOf, isEmpty, type FileChange, type Plan } from './plan.js';
import { isServerConfig, portOf, protocolsOf } from './protocols.js';

/** What was found, one line for each server. */
export function foundText(servers: readonly ServerFacts[]): string {
  return servers
    .filter(({ lines }) => isServerConfig(lines))
    .map((server) => {
      const { name, config, unit, lines, isActive, managementClients } = server;
      const { udp, tcp } = protocolsOf(lines);
      const management = managementOf(server);
      const used = managementClients.map(({ program, pid, user }) =>
        user === DAEMON_USER ? 'subflowd' : `${program}, process ${pid} of ${user}`,
      );
      return [
        `found: server ${name} (${config}), ${unit ?? 'without a unit'}, ${isActive ? 'runs' : 'does not run'}`,
        `serves ${[udp && 'UDP', tcp && 'TCP'].filter(Boolean).join(' and ')} at port ${portOf(lines)}`,
        management === undefined
          ? 'no management interface'
          : `management at ${management.address}${used.length === 0 ? '' : ` (used by ${used.join('; ')})`}`,
      ].join('; ');
    })
    .join('\n');
}

/** What setup would change, with the reasons and costs. */
export function planText(plan: Plan): string {
  const parts = [
    ...plan.warnings.map((warning) => `WARNING: ${warning}`),
    ...plan.notes.map((note) => `note: ${note}`),
    ...plan.obstacles.map(({ what, remedy }) => `not done: ${what}\nto fix it: ${remedy}`),
  ];
  if (isEmpty(plan)) return [...parts, 'nothing to do'].join('\n');
  const blocks = [
    parts.join('\n'),
    ...plan.changes.map(changeText),
    sysctlText(plan).join('\n'),
    commandsText(plan),
  ];
  return blocks.filter((block) => block !== '').join('\n\n');
}

function changeText({ path, before, text, basis, why, cost, isOnlyNew }: FileChange): string {
  const head = [`${path}: ${before === undefined ? 'new: ' : ''}${why}`];
  if (cost !== undefined) head.push(`  cost: ${cost}`);
  if (isOnlyNew) return head.join('\n');
  const from = before ?? basis?.text ?? '';
  if (before === undefined && basis) head.push(`  compared with ${basis.path}:`);
  return [...head, ...diff(decode(from), decode(text)).map((line) => `  ${line}`)].join('\n');
}

/** A text whose characters are bytes, as a terminal shows it. */
function decode(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

function sysctlText({ sysctl, consoleUsers }: Plan): string[] {
  return [
    ...sysctl.map(
      ([name, value]) =>
        `net.mptcp.${name} becomes ${value}: connections that exist keep the path manager that they have`,
    ),
    ...consoleUsers.map(
      (user) => `user ${user} becomes a member of group subflowd, because its monitor uses management now`,
    ),
  ];
}

function commandsText(plan: Plan): string {
  const commands = commandsOf(plan).map((command) => `  ${command.join(' ')}`);
  return ['then these commands run:', ...commands].join('\n');
}

/** What the admin does next. */
export function nextStepsText({ nextSteps }: Plan): string {
  const steps = [
    ...nextSteps,
    'name the paths and rules in /etc/subflowd/subflowd.ini, and check them: subflowd check',
    'at a Linux client with two networks: install subflowd-client; subflowd-client doctor says what is missing there',
    'see who is steered: subflowd status',
  ];
  return ['next:', ...steps.map((step, index) => `  ${index + 1}. ${step}`)].join('\n');
}
