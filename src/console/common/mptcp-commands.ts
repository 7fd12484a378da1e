/** The words that can follow `mptcp`, in the order in which help shows them. */
export type MptcpVerb =
  'status' | 'paths' | 'primary' | 'rules' | 'watch' | 'explain' | 'claim' | 'release' | 'help';

/** One form of an `mptcp` command, for help and for completion. */
export interface MptcpUsage {
  readonly verb: MptcpVerb;
  /** What follows the verb. Words in capitals stand for names. */
  readonly parameters?: string;
  readonly meaning: string;
  /** Words that can follow the verb as they are. */
  readonly literals?: readonly string[];
  /** Kinds of the names that can follow the verb, in order. */
  readonly names?: readonly ('client' | 'path')[];
}

/** Every form of every `mptcp` command. */
export const USAGES: readonly MptcpUsage[] = [
  {
    verb: 'status',
    parameters: '[CLIENT]',
    meaning: 'sessions with their rule, primary path, subflows and priorities',
    names: ['client'],
  },
  { verb: 'status', parameters: 'json', meaning: 'the same as one line of JSON', literals: ['json'] },
  {
    verb: 'paths',
    parameters: '[json]',
    meaning: 'the paths, what is on each, their load and their capacity',
    literals: ['json'],
  },
  {
    verb: 'primary',
    parameters: 'CLIENT PATH',
    meaning: 'override the rules: make PATH primary for this client',
    names: ['client', 'path'],
  },
  {
    verb: 'primary',
    parameters: 'CLIENT auto',
    meaning: 'end the override: the rules decide again',
    names: ['client'],
  },
  {
    verb: 'rules',
    parameters: '[json]',
    meaning: 'the rules and overrides, and to how many sessions each applies',
    literals: ['json'],
  },
  { verb: 'rules', parameters: 'reload', meaning: 'read subflowd.ini again', literals: ['reload'] },
  {
    verb: 'watch',
    parameters: '[json|off]',
    meaning: 'report switches and subflows as they happen, as >MPTCP: messages',
    literals: ['json', 'off'],
  },
  {
    verb: 'explain',
    parameters: 'CLIENT [json]',
    meaning: 'which rule applies, what was set, what the kernel has, and what would move it',
    names: ['client'],
  },
  {
    verb: 'claim',
    parameters: 'auth|questions',
    meaning: "become the only client that answers OpenVPN's client-auth, or its questions",
    literals: ['auth', 'questions'],
  },
  {
    verb: 'release',
    parameters: 'auth|questions',
    meaning: 'let another client claim it',
    literals: ['auth', 'questions'],
  },
  { verb: 'help', meaning: 'this list' },
];

/** Returns the command as help shows it, e.g. `mptcp status [CLIENT]`. */
export function usageText({ verb, parameters }: MptcpUsage): string {
  return ['mptcp', verb, parameters].filter(Boolean).join(' ');
}

/** The lines that `help` prints. */
export const HELP: readonly string[] = [
  ...USAGES.map((usage) => `${usageText(usage).padEnd(29)} ${usage.meaning}`),
  "help                          the commands of OpenVPN, at a server's console",
  'exit, quit                    end this connection',
  'CLIENT is a common name, a CID, or a real or virtual address, each also as SERVER/CLIENT. Put "quotes" around blanks.',
  '=SERVER/COMMON NAME always means that client. The word after -- is always a client, e.g. mptcp status -- json.',
];
