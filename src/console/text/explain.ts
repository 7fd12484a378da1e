import type { Explanation } from '../../api/explanation.js';
import { ruleText, type Rule, type SubflowPlan, type Written } from '../../api/status.js';
import { formatEndpoint } from '../../model/endpoint.js';
import { printable } from '../../util/printable.js';
import { sessionTitle } from './status.js';

/**
 * Which rule, which wish, what was written, what the kernel did with it, what would move it; every line begins with a word
 * of ours.
 */
export function explainText({ plan, rules, written, outlook }: Explanation): string[] {
  const [counts, ...others] = rules;
  const lines = [
    sessionTitle(plan.session),
    `rule: ${counts === undefined ? 'none' : wantText(counts)}`,
    ...others.map((rule) => `rule that fits but does not count: ${wantText(rule)}`),
    `wish: ${plan.state}, ${plan.reason}`,
    ...plan.subflows.map((subflow) => `wish: ${wishText(subflow)}`),
    ...writtenText(written),
    ...(plan.subflows.length === 0 ? ['kernel: it shows no subflow'] : plan.subflows.map(kernelText)),
    ...outlook,
  ];
  return lines.map(printable);
}

function wantText(rule: Rule): string {
  const { section, mode, primary } = rule;
  if (mode !== 'active-standby') return `${section} says ${ruleText(rule) ?? ''}`;
  const wanted = primary.length === 0 ? 'asks for no path' : `wants ${primary.join(', else ')}`;
  return section === 'override'
    ? `an admin's command (mptcp primary CLIENT auto takes it back) ${wanted}`
    : `${section} ${wanted}`;
}

function wishText({ subflow, path, throughTunnel, wished, asWished }: SubflowPlan): string {
  const where = throughTunnel
    ? 'through the tunnel itself'
    : path === undefined
      ? 'on no path'
      : `on ${path}`;
  const what =
    wished === undefined ? 'left as it is' : asWished ? `${wished}, and is` : `to become ${wished}`;
  return `${formatEndpoint(subflow.remote)} ${where}: ${what}`;
}

function writtenText(written: Written | undefined): string[] {
  if (written === undefined)
    return ['written: nothing since the daemon started, or since this connection was made'];
  const at = new Date(written.at).toISOString();
  return written.wishes.map(({ wish, result }) => {
    const { outcome, peerAsked, reason } = result;
    const asked = outcome === 'committed' ? (peerAsked ? ', the client is asked to follow' : ', the client is not asked') : '';
    const why = reason === undefined ? '' : `: ${reason}`;
    return `written: ${at} ${formatEndpoint(wish.name.remote)} ${wish.priority}: ${outcome}${asked}${why}`;
  }); // prettier-ignore
}

function kernelText({ subflow: { remote, ours, peers, mpPrioPending } }: SubflowPlan): string {
  const used =
    ours === 'active' && peers === 'active'
      ? 'used'
      : peers === 'backup'
        ? 'held back by the client'
        : 'in reserve';
  const told = mpPrioPending ? ', the client will be told with its next packet' : '';
  return `kernel: ${formatEndpoint(remote)} is ${ours} by us and ${peers} by the client: ${used}${told}`;
}
