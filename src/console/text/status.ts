import Table from 'cli-table3';
import { ruleText, type DaemonStatus, type SessionPlan, type SubflowPlan } from '../../api/status.js';
import { formatEndpoint } from '../../model/endpoint.js';
import { formatLoad } from '../../model/path-load.js';
import { formatQuotaUse, isOverQuota, type QuotaUse } from '../../model/quota.js';
import { formatRate } from '../../model/rate.js';
import type { Session } from '../../model/session.js';
import type { ServerStatus } from '../../openvpn/server-status.js';
import { printable } from '../../util/printable.js';
import { timeText } from '../../util/time-text.js';
import { useText } from './subflow-use.js';

/** Columns that are separated by blanks; see cli-table3. */
const NO_BORDERS = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '',
  bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '    ', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
}; // prettier-ignore

/**
 * Text of `mptcp status`: the servers, then each session with its rule, its primary path and its subflows. Every line
 * begins with a fixed word or a blank, so that no common name can look like the end of the answer.
 */
export function statusText(status: DaemonStatus): string[] {
  const { version, kernel, backend, servers, dryRun, paths, sessions, problems, reported } = status;
  return [
    `subflowd ${version}, kernel ${kernel}, backend ${backend.name} (${backend.description})`,
    ...(dryRun ? ['dry-run: the plan is shown, and nothing is set'] : []),
    ...servers.map(serverLine),
    ...paths.map((load) => printable(`path ${load.name} ${formatLoad(load)}`)),
    ...problems.map((problem) => `problem: ${printable(problem)}`),
    ...reported.map(({ text, since }) => `reported: ${printable(text)} (since ${timeText(since)})`),
    ...sessions.flatMap(sessionLines),
    countText(sessions.length),
  ];
}

function countText(sessions: number): string {
  if (sessions === 0) return 'no sessions';
  return sessions === 1 ? '1 session' : `${sessions} sessions`;
}

function serverLine({ name, management, managementTrouble, pids, recorded, version }: ServerStatus): string {
  const processes = pids.length === 0 ? 'no process known' : `process ${pids.join(', ')}`;
  const access =
    management === 'absent'
      ? 'hooks only'
      : `management ${management}${managementTrouble ? `: ${managementTrouble}` : ''}`;
  const openvpn = /^OpenVPN \S+/.exec(version ?? '')?.[0];
  return printable(
    `server ${name}: ${[openvpn, processes, access, `${recorded} recorded by hooks`].filter(Boolean).join(', ')}`,
  );
}

/** Returns `session NAME: from ...`. The caller must escape characters that are not printable. */
export function sessionTitle({ commonName, real, virtual, server, cid }: Session): string {
  const where = [
    `from ${formatEndpoint(real)}`,
    ...virtual,
    `server ${server}`,
    ...(cid === undefined ? [] : [`CID ${cid}`]),
  ].join(', ');
  return `session ${commonName}: ${where}`;
}

/** Text of one session: its rule, its primary path and its subflows. */
export function sessionLines(plan: SessionPlan): string[] {
  const { session, rule, state, reason, facts, rate, quotas = [], subflows } = plan;
  return [
    '',
    printable(sessionTitle(session)),
    printable(`    ${rule.section} ${ruleText(rule) ?? 'no rule'}: ${state}, ${reason}`),
    ...facts.map((fact) => printable(`    ${fact}`)),
    ...(rate ? [`    uses ${formatRate(rate)}`] : []),
    ...quotas.map((use) => printable(`    quota ${quotaText(use)}`)),
    ...(subflows.length === 0 ? [] : subflowTable(subflows)),
  ];
}

/** What a client has carried of its quota on a path. */
export function quotaText(use: QuotaUse): string {
  return `${formatQuotaUse(use)}${isOverQuota(use) ? '; the path is its last choice' : ''}`;
}

function subflowTable(subflows: readonly SubflowPlan[]): string[] {
  const table = new Table({
    head: ['PATH', 'CLIENT', 'SERVER', 'OUR PRIORITY', "CLIENT'S PRIORITY", ''],
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const plan of subflows) {
    const { subflow, path, throughTunnel, asWished, wished } = plan;
    const change = asWished ? '' : `to become ${wished ?? ''}`;
    const notification = subflow.mpPrioPending ? 'client not yet notified' : '';
    table.push([
      throughTunnel ? '(tunnel)' : (path ?? '(elsewhere)'),
      formatEndpoint(subflow.remote),
      formatEndpoint(subflow.local),
      subflow.ours,
      subflow.peers,
      [change, notification, useText(plan)].filter(Boolean).join(', '),
    ]);
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}
