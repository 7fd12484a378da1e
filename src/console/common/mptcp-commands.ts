/** Of all `mptcp` commands, with what each takes, for help and for completion. */
export const COMMANDS: readonly (readonly [string, string])[] = [
  ['mptcp status [CLIENT]', 'sessions, their subflows, whose wish is what, rule, primary'],
  ['mptcp status json', 'the same, as one line of JSON'],
  ['mptcp paths', 'the paths, what is on each, and what it carries of what it can'],
  ['mptcp primary CLIENT PATH', 'this client on that path, whatever the rules say, until taken back'],
  ['mptcp primary CLIENT auto', 'take it back: the rules decide again'],
  ['mptcp rules', 'the rules and overrides, and for how many each counts'],
  ['mptcp rules reload', 'read subflowd.ini again, also where no change was seen'],
  ['mptcp watch [off]', 'tell of switches and subflows as they happen, as >MPTCP: messages'],
  ['mptcp explain CLIENT', 'which rule and wish, what was written and done with it, what would move it'],
  ['mptcp claim auth|questions', "be the one who answers OpenVPN's client-auth, or its questions"],
  ['mptcp release auth|questions', 'let another one'],
  ['mptcp help', 'this list'],
];

/** The lines that `help` shows. */
export const HELP = [
  ...COMMANDS.map(([command, meaning]) => `${command.padEnd(29)} ${meaning}`),
  "help                          the commands of OpenVPN, at a server's console",
  'exit, quit                    end this connection',
  'CLIENT is a common name, a CID, or a real or virtual address, or any of them behind SERVER/; "quote" blanks.',
  '=SERVER/COMMON NAME is read as that only; behind -- a CLIENT is a client whatever it is called: mptcp status -- json',
];
