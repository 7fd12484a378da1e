import type { Explanation } from '../../api/explanation.js';
import { ruleSentence, type SubflowPlan, type Written } from '../../api/status.js';
import { formatEndpoint } from '../../model/endpoint.js';
import { printable } from '../../util/printable.js';
import { quotaText, sessionTitle } from './status.js';
import { useText } from './subflow-use.js';

/**
 * Text of `mptcp explain`: which rule applies, what is planned, what was set, what the kernel has, and what would move the
 * session to another path. Every line begins with a fixed word.
 */
export function explainText({ plan, rules, written, outlook }: Explanation): string[] {
  const [applied, ...others] = rules;
  const lines = [
    sessionTitle(plan.session),
    `rule: ${applied === undefined ? 'none' : ruleSentence(applied)}`,
    ...others.map((rule) => `rule that matches but does not apply: ${ruleSentence(rule)}`),
    ...(plan.quotas ?? []).map((use) => `quota: ${quotaText(use)}`),
    `plan: ${plan.state}, ${plan.reason}`,
    ...plan.facts.map((fact) => `fact: ${fact}`),
    ...plan.subflows.map((subflow) => `plan: ${planText(subflow)}`),
    ...writtenText(written),
    ...(plan.subflows.length === 0 ? ['kernel: it has no subflow'] : plan.subflows.map(kernelText)),
    ...outlook,
  ];
  return lines.map(printable);
}

function planText({ subflow, path, throughTunnel, wished, asWished }: SubflowPlan): string {
  const where = throughTunnel
    ? 'through the tunnel itself'
    : path === undefined
      ? 'on no path'
      : `on ${path}`;
  return `${formatEndpoint(subflow.remote)} ${where}: ${wishText(wished, asWished)}`;
}

function wishText(wished: SubflowPlan['wished'], asWished: boolean): string {
  if (wished === undefined) return 'not to be changed';
  return asWished ? `${wished}, as it is` : `to become ${wished}`;
}

function writtenText(written: Written | undefined): string[] {
  if (written === undefined)
    return ['written: nothing since the daemon started, or since this connection was made'];
  const at = new Date(written.at).toISOString();
  return written.changes.map(({ change, result }) => {
    const { outcome, isMpPrioRequested, reason } = result;
    const request = isMpPrioRequested ? ', the client is asked to do the same' : ', the client is not asked';
    const details = `${outcome === 'committed' ? request : ''}${reason === undefined ? '' : `: ${reason}`}`;
    return `written: ${at} ${formatEndpoint(change.name.remote)} ${change.priority}: ${outcome}${details}`;
  });
}

function kernelText(plan: SubflowPlan): string {
  const { subflow } = plan;
  const { remote, ours, peers, mpPrioPending } = subflow;
  const notification = mpPrioPending ? ', the client will be notified with the next packet' : '';
  return `kernel: ${formatEndpoint(remote)} is ${ours} by us and ${peers} by the client: ${useText(plan) ?? expectedUse(subflow)}${notification}`;
}

/** What the kernel does with a subflow of these priorities; for a subflow whose traffic was not observed yet. */
function expectedUse({ ours, peers }: SubflowPlan['subflow']): string {
  if (peers === 'backup') return 'the client asks not to use it';
  return ours === 'active' ? 'used' : 'used only if no active one works';
}
