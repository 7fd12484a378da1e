/**
 * start.ts imports this module before all others. SIGUSR1, which restarts OpenVPN, makes Node open its debugger to every
 * user of this host, unless the process listens to the signal. Until this module runs, the first line of start.ts prevents
 * that: it gives the debugger an address that no host has (RFC 5737), so that it cannot listen.
 */
process.on('SIGUSR1', () => undefined);

export {};
