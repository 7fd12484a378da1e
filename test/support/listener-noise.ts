/** What somebody does to a listener as fast as a process can; each is run by node, with where it listens as `place`. */
export const LISTENER_NOISE = {
  /** Takes every seat there is, says more than is answered, and reads nothing. */
  connectAndShout: `
    const net = require('node:net');
    let open = 0;
    const more = () => {
      while (open < 100) {
        open++;
        const socket = net.connect(place);
        socket.on('error', () => {}).on('close', () => { open--; setImmediate(more); });
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
        socket.on('error', () => {}).on('close', () => { open--; setImmediate(more); });
        if (open % 2) socket.on('data', () => socket.write('guess' + tries++ + '\\r\\n'));
        else setTimeout(() => socket.destroy(), 2000);
      }
    };
    more();`,
  /** Connects and goes, a hundred at a time. */
  connectAndGo: `
    const net = require('node:net');
    let open = 0;
    const more = () => {
      while (open < 100) {
        open++;
        const socket = net.connect(place);
        socket.on('error', () => {}).on('close', () => { open--; setImmediate(more); });
        socket.on('connect', () => { socket.write(Buffer.alloc(64, 255)); setTimeout(() => socket.destroy(), 20); });
      }
    };
    more();`,
  /** Is the listener itself: a management interface that never stops talking, and answers nothing. */
  talkForEver: `
    const net = require('node:net');
    const line = '>LOG:1700000000,I,' + 'x'.repeat(200) + '\\r\\n>CLIENT:ESTABLISHED,1\\r\\n>CLIENT:ENV,END\\r\\n';
    net.createServer((socket) => {
      socket.on('error', () => {}).resume();
      const say = () => { while (!socket.destroyed && socket.write(line.repeat(50))); };
      socket.on('drain', say);
      say();
    }).listen(place, () => require('node:fs').chmodSync(place.path, 0o777));`,
} as const;

export type ListenerNoise = keyof typeof LISTENER_NOISE;

/** The arguments of node for a noise, which ends by itself after a minute at the latest. */
export function noiseArguments(
  kind: ListenerNoise,
  place: { readonly path: string } | { readonly host: string; readonly port: number },
): string[] {
  const script = `
    const place = ${JSON.stringify(place)};
    setTimeout(() => process.exit(), 60_000);
    ${LISTENER_NOISE[kind]}`;
  return ['-e', script];
}
