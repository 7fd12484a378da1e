/** What an experiment came to: `report.json`. Times are milliseconds since the experiment's start. */
export interface Report {
  /** `devmem` or `netlink`. */
  readonly backend: string;
  /** How the backend writes on this kernel, in its own words. */
  readonly writes: string;
  /** Release of the kernel, as `uname -r` says it. */
  readonly kernel: string;
  readonly openvpn: string;
  readonly transfer: { readonly bytes: number; readonly sha256Matches: boolean; readonly reconnects: number };
  /** How long the first rule took: from the end of the client's start until `status` shows it. */
  readonly rule: {
    readonly client: string;
    readonly primary: string;
    readonly connectedMs: number;
    readonly committedMs: number;
  };
  readonly switches: readonly SwitchReport[];
  readonly paths: readonly PathReport[];
  /** Counters of the kernel that tell of a broken connection, by how much they rose, in both namespaces. */
  readonly trouble: {
    readonly server: Readonly<Record<string, number>>;
    readonly client: Readonly<Record<string, number>>;
  };
}

export interface SwitchReport {
  readonly client: string;
  readonly from: string;
  readonly to: string;
  /** What asked for it: the ini file, or `subflowd primary`. */
  readonly by: 'file' | 'command';
  /** Just before the file was replaced or the command started: the command's own start is in it. */
  readonly requestedMs: number;
  readonly committedMs: number;
  /** Payload from the server on the new path; null if there was none. */
  readonly firstPacketOnNewPathMs: number | null;
  /** Of the payload of both directions, from a second after the commit to the next request or the end; null if there was none. */
  readonly shareOnNewPathAfter1s: number | null;
  /** The same for what the server sent; subflowd decides this share. */
  readonly shareToClientAfter1s: number | null;
  /** The same for what the client sent; the client decides this share after MP_PRIO. */
  readonly shareToServerAfter1s: number | null;
  /** MP_PRIO of the server, by its and the client's counters or captures, from before the request to the next one or the end. */
  readonly mpPrioSent: number;
  readonly mpPrioReceived: number;
}

export interface PathReport {
  readonly name: string;
  readonly clientAddress: string;
  readonly rateMbit: number;
  /** TCP payload of the tunnel during the transfer. */
  readonly bytesToClient: number;
  readonly bytesToServer: number;
}

/** The least share of the payload that a switch should move within a second. */
export const WANTED_SHARE = 0.99;

/**
 * @param wanted size of the download, whether this way of writing can notify the client (MP_PRIO), and the least share of
 * the payload that a switch has to move within a second.
 * @returns a sentence for each figure that was not reached.
 */
export function shortcomings(
  report: Report,
  wanted: { readonly bytes: number; readonly notifiesClient: boolean; readonly share?: number },
): string[] {
  const { transfer } = report;
  return [
    ...(transfer.bytes === wanted.bytes ? [] : [`${transfer.bytes} of ${wanted.bytes} bytes arrived`]),
    ...(transfer.sha256Matches ? [] : ['the received bytes differ from the sent bytes']),
    ...(transfer.reconnects === 0 ? [] : [`the client reconnected ${transfer.reconnects} times`]),
    ...report.switches.flatMap((one) =>
      switchShortcomings(one, wanted.notifiesClient, wanted.share ?? WANTED_SHARE),
    ),
    ...Object.entries({ ...report.trouble.server, ...report.trouble.client }).map(
      ([name, by]) => `the counter ${name} rose by ${by}`,
    ),
  ];
}

function switchShortcomings(one: SwitchReport, notifiesClient: boolean, wantedShare: number): string[] {
  const name = `switch to ${one.to} at ${Math.round(one.requestedMs)} ms`;
  // A client that was not notified chooses itself on which path it sends.
  const share = one.mpPrioSent === 0 ? one.shareToClientAfter1s : one.shareOnNewPathAfter1s;
  return [
    ...(share !== null && share >= wantedShare
      ? []
      : [
          `${name}: ${share ?? 'nothing'} of the payload was on the new path a second later; wanted: ${wantedShare}`,
        ]),
    ...(one.mpPrioSent > 0 || !notifiesClient ? [] : [`${name}: the client was not notified (no MP_PRIO)`]),
    ...(one.mpPrioSent === one.mpPrioReceived
      ? []
      : [`${name}: ${one.mpPrioSent} MP_PRIO sent, but ${one.mpPrioReceived} received`]),
  ];
}
