import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLIENT_LIMITS } from '../../../../src/console/listen/client-connection.js';
import { until } from '../../../support/until.js';
import { client } from '../steered.js';
import { ConsoleFixture } from './console-fixture.js';

let fixture: ConsoleFixture;

beforeEach(() => {
  fixture = new ConsoleFixture();
});
afterEach(() => fixture.close());

/** Makes the daemon have so many clients that an answer does not fit in the buffers of a socket. */
function addManyClients(): void {
  fixture.daemon.clients = Array.from({ length: 2000 }, (_, n) => client(`client ${n}`));
}

describe('a console client', () => {
  it('gets a greeting, and answers in the order of its commands', async () => {
    await fixture.open();
    let release: ((isTried: boolean) => void) | undefined;
    fixture.daemon.round = new Promise((resolve) => (release = resolve));
    const peer = await fixture.connect();
    peer.socket.write('mptcp primary alice lte\nnonsense\r\nmptcp primary bob moon\nmptcp st');
    await peer.hears(/^>INFO:/);
    await until('the first command runs', () => 'lab/alice' in fixture.daemon.status().overrides);
    expect(peer.text).not.toContain('ERROR');
    release?.(true);
    peer.socket.write('atus json\nexit\nhelp\n');
    await peer.isDisconnected();
    expect(peer.text.split('\r\n').map((line) => line.slice(0, 24))).toEqual([
      '>INFO:subflowd console -',
      'SUCCESS: lab/alice: pend',
      'ERROR: unknown command "',
      'ERROR: there is no path ',
      '{"version":"0.1.0","kern',
      'END',
      '',
    ]);
  });

  it('gets its answers after it has closed its end', async () => {
    await fixture.open();
    // a round takes this long
    fixture.daemon.round = sleep(100, true);
    const peer = await fixture.connect({ allowHalfOpen: true });
    peer.socket.end('mptcp primary alice lte\nmptcp status\n');
    await peer.isDisconnected();
    expect(peer.text).toContain('SUCCESS: lab/alice');
    expect(peer.text.endsWith('END\r\n')).toBe(true);
  });

  it('can disconnect in the middle of a command without an effect on others', async () => {
    await fixture.open();
    let release: ((isTried: boolean) => void) | undefined;
    fixture.daemon.round = new Promise((resolve) => (release = resolve));
    const busy = await fixture.connect();
    busy.socket.write('mptcp primary alice lte\n');
    const partial = await fixture.connect();
    partial.socket.write('mptcp stat');
    await until('the command runs', () => 'lab/alice' in fixture.daemon.status().overrides);
    busy.socket.destroy();
    partial.socket.destroy();
    release?.(true);
    expect(await fixture.talk('mptcp status')).toContain('2 sessions');
  });

  it('may send a line of 4096 bytes, and is disconnected with the reason if it sends a longer one', async () => {
    await fixture.open();
    const peer = await fixture.connect();
    peer.socket.write(`${'x'.repeat(4096)}\n`);
    await peer.hears(/^ERROR: unknown command/);
    peer.socket.write('x'.repeat(4097));
    await peer.isDisconnected();
    expect(peer.text.endsWith('ERROR: a line is longer than 4096 bytes\r\n')).toBe(true);
  });

  it('can read the reason after it has sent a megabyte without a line end', async () => {
    await fixture.open();
    const peer = await fixture.connect();
    peer.socket.write(Buffer.alloc(1 << 20, 'x'));
    await peer.isDisconnected();
    expect(peer.text).toContain('ERROR: a line is longer than 4096 bytes');
    expect(peer.error).toBeUndefined();
  });

  it('is disconnected with the reason, after its answers, if too many commands wait', async () => {
    await fixture.open();
    // a round takes this long
    fixture.daemon.round = sleep(300, true);
    const peer = await fixture.connect();
    peer.socket.write(`mptcp primary alice lte\n${'x\n'.repeat(1500)}`);
    await peer.isDisconnected();
    expect(peer.text).toContain('SUCCESS: lab/alice');
    expect(peer.text.endsWith('ERROR: more than 1000 commands wait for their answers\r\n')).toBe(true);
  });

  it('is disconnected with the reason if it does not read, without an effect on others', async () => {
    await fixture.open({ ...CLIENT_LIMITS, unreadMs: 500, leaveMs: 20_000 });
    addManyClients();
    let answered = 0;
    const status = fixture.daemon.status();
    fixture.daemon.status = () => {
      answered++;
      return status;
    };
    const peer = await fixture.connect({ read: false });
    peer.socket.write('mptcp status json\n'.repeat(20));
    await until('the first answer is due', () => answered === 1);
    const before = performance.now();
    expect(await fixture.talk('help', 400)).toContain('mptcp help                    this list');
    expect(performance.now() - before).toBeLessThan(400);
    // the unread answer blocks the next ones: one answer is made, not twenty
    expect(answered).toBe(1);
    // longer than `unreadMs`: a client that does not read sees no event
    await sleep(800);
    peer.read();
    await peer.isDisconnected();
    expect(answered).toBe(1);
    expect(peer.text.endsWith('\r\nEND\r\nERROR: an answer was not read for 0.5 s\r\n')).toBe(true);
  });

  it('is disconnected if it never reads', async () => {
    await fixture.open({ ...CLIENT_LIMITS, unreadMs: 300, leaveMs: 300 });
    addManyClients();
    const peer = await fixture.connect({ read: false });
    peer.socket.write('mptcp status json\n');
    // longer than `unreadMs` and `leaveMs`: a client that does not read sees no event
    await sleep(5_000);
    peer.read();
    await until('the console disconnects it', () => peer.closed);
    expect(peer.text).not.toContain('ERROR');
  });

  it('gets everything if it reads late', async () => {
    await fixture.open();
    addManyClients();
    const peer = await fixture.connect({ read: false });
    peer.socket.write('mptcp status json\nmptcp status json\nexit\n');
    // shorter than `unreadMs`
    await sleep(200);
    peer.read();
    await peer.isDisconnected();
    expect(peer.text.match(/\r\nEND\r\n/g)).toHaveLength(2);
  });

  it('is disconnected if it does not close its end', async () => {
    await fixture.open({ ...CLIENT_LIMITS, leaveMs: 100 });
    const peer = await fixture.connect({ allowHalfOpen: true });
    peer.socket.write('exit\n');
    await peer.isDisconnected();
    await until('writing fails', () => {
      if (!peer.closed) peer.socket.write('x\n');
      return peer.error?.code === 'EPIPE';
    });
  });
});
