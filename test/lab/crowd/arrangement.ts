/** How it is decided which of a client's two subflows carries its tunnel. */
export interface Arrangement {
  readonly letter: 'a' | 'b' | 'c' | 'd' | 'e';
  /** A few words, for plots and tables. */
  readonly title: string;
  /** One sentence, for people. */
  readonly description: string;
  /** Whether the clients themselves ask for backup on every path but the first. */
  readonly clientsAskForBackup: boolean;
  /** How subflowd chooses the path of each client; absent if subflowd does not run. */
  readonly steering?: 'rules' | 'balance' | 'both';
}

/** Those that the experiment compares. */
export const arrangements: readonly [Arrangement, ...Arrangement[]] = [
  {
    letter: 'a',
    title: 'own access point first',
    description: 'As devices do today: their own access point is active, the other ISP’s is backup.',
    clientsAskForBackup: true,
  },
  {
    letter: 'b',
    title: 'all active',
    description: 'Every subflow is active, and MPTCP chooses which one carries what.',
    clientsAskForBackup: false,
  },
  {
    letter: 'c',
    title: 'fixed rules',
    description:
      'subflowd with a rule for each client: half of the clients on each access point. The admin does not see the neighbours.',
    clientsAskForBackup: false,
    steering: 'rules',
  },
  {
    letter: 'd',
    title: 'balance',
    description: 'subflowd with mode = balance: it places clients by the load of the access points.',
    clientsAskForBackup: false,
    steering: 'balance',
  },
  {
    letter: 'e',
    title: 'balance, both when full',
    description:
      'As (d) with both = when-full: a client may use both access points while one has no room for it.',
    clientsAskForBackup: false,
    steering: 'both',
  },
];
