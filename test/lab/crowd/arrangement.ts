/** Which of a client's two subflows carries its tunnel, and who says so. */
export interface Arrangement {
  readonly letter: 'a' | 'b' | 'c' | 'd';
  /** In a few words, for plots and tables. */
  readonly title: string;
  /** One sentence, for people. */
  readonly description: string;
  /** The clients themselves ask for backup on every path but the first. */
  readonly clientsAskForBackup: boolean;
  /** What subflowd is told; absent: it does not run. */
  readonly steering?: 'rules' | 'balance';
}

/** The four that the experiment compares. */
export const arrangements: readonly [Arrangement, ...Arrangement[]] = [
  {
    letter: 'a',
    title: 'own access point first',
    description: 'As terminals do today: the own access point is active, the other ISP’s is backup.',
    clientsAskForBackup: true,
  },
  {
    letter: 'b',
    title: 'all active',
    description: 'Every subflow is active; which one carries what is left to MPTCP.',
    clientsAskForBackup: false,
  },
  {
    letter: 'c',
    title: 'fixed rules',
    description:
      'subflowd with a rule per client: half of the clients on each access point, by an admin who cannot see the neighbours.',
    clientsAskForBackup: false,
    steering: 'rules',
  },
  {
    letter: 'd',
    title: 'balance',
    description: 'subflowd with mode = balance: placed by what the access points carry.',
    clientsAskForBackup: false,
    steering: 'balance',
  },
];
