/**
 * Imported for what it does, before everything else: SIGUSR1, by which OpenVPN restarts, would make Node open its
 * debugger to every user of this host. With a listener it does not. Before this is reached, main.ts's first line keeps
 * the debugger from opening: it names an address that no host has (RFC 5737), where nothing can listen.
 */
process.on('SIGUSR1', () => undefined);

export {};
