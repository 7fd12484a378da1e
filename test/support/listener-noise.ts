/**
 * What somebody does to a listener as fast as a process can; each is run by node, with where it listens as `place`, and
 * counts what it did as `done`.
 */
export const LISTENER_NOISE = {
  /** Takes every seat there is, says more than is answered, and reads nothing. */
  connectAndShout: `
    const net = require('node:net');
    let open = 0;
    const more = () => {
      while (open < 100) {
        open++;
        const socket = net.connect(place);
        socket.on('error', () => {}).on('close', () => { open--; done++; setImmediate(more); });
        socket.on('connect', () => { socket.write('mptcp status json\\nstatus 3\\nlog all\\n'.repeat(200)); socket.pause(); });
        setTimeout(() => socket.destroy(), Math.random() * 3000);
      }
    };
    more();`,
  /** Tries passwords, and takes every seat without giving one. */
  guessPasswords: `
    const net = require('node:net');
    let open = 0, tries = 0;
    const more = () => {
      while (open < 200) {
        open++;
        const socket = net.connect(place);
        socket.on('error', () => {}).on('close', () => { open--; done++; setImmediate(more); });
        if (open % 2) socket.on('data', () => socket.write('guess' + tries++ + '\\r\\n'));
        else setTimeout(() => socket.destroy(), 2000);
      }
    };
    more();`,
  /** Connects and goes, a hundred at a time. It resets, since a port that is in TIME_WAIT could not be had again. */
  connectAndGo: `
    const net = require('node:net');
    let open = 0;
    const more = () => {
      while (open < 100) {
        open++;
        const socket = net.connect(place);
        socket.on('error', () => {}).on('close', () => { open--; setImmediate(more); });
        socket.on('connect', () => { done++; socket.write(Buffer.alloc(64, 255)); setTimeout(() => socket.resetAndDestroy(), 20); });
      }
    };
    more();`,
  /** Is the listener itself: a management interface that never stops talking, and answers nothing. */
  talkForEver: `
    const net = require('node:net');
    const line = '>LOG:1700000000,I,' + 'x'.repeat(200) + '\\r\\n>CLIENT:ESTABLISHED,1\\r\\n>CLIENT:ENV,END\\r\\n';
    net.createServer((socket) => {
      socket.on('error', () => {}).resume();
      const say = () => { do done += 50; while (!socket.destroyed && socket.write(line.repeat(50))); };
      socket.on('drain', say);
      say();
    }).listen(place, () => require('node:fs').chmodSync(place.path, 0o777));`,
} as const;

export type ListenerNoise = keyof typeof LISTENER_NOISE;

/** Where a listener is. */
export type Place = { readonly path: string } | { readonly host: string; readonly port: number };

/** After which a noise ends by itself, whatever became of who started it; milliseconds. */
const MAX_NOISE_MS = 180_000;

/** The arguments of node for a noise. On SIGTERM it says how often it did what it does. */
export function noiseArguments(kind: ListenerNoise, place: Place): string[] {
  const script = `
    const place = ${JSON.stringify(place)};
    let done = 0;
    setTimeout(() => process.exit(1), ${MAX_NOISE_MS});
    process.once('SIGTERM', () => { process.stdout.write('' + done); process.exit(); });
    ${LISTENER_NOISE[kind]}`;
  return ['-e', script];
}
