import type { RuleConfig } from '../config/config.js';
import { MODE_TABLE } from './modes/table.js';
import type { Rule } from './rule.js';

/** A rule as it is written in the config; undefined if it asks for nothing. */
export function ruleText(rule: RuleConfig): string | undefined {
  return MODE_TABLE[rule.mode].ruleText(rule);
}

/** A rule as a sentence: `[default] wants wifi, else lte`. */
export function ruleSentence(rule: Rule): string {
  const predicate = MODE_TABLE[rule.mode].ruleSentence(rule);
  return rule.section === 'override'
    ? `an admin's override (mptcp primary CLIENT auto removes it) ${predicate}`
    : `${rule.section} ${predicate}`;
}
