// Calls every function of the addon with invalid arguments, for hostile-arguments.test.ts. It is a program of its own,
// because a crash of the addon ends the process. Before each call it prints the name of the call to standard error, and
// after it one line of JSON to standard output: the name and the result.
import { callConstructor, callMemory } from './hostile-memory.js';
import {
  arrays,
  byteBuffer,
  call,
  NetlinkSocket,
  numbers,
  peerCredentials,
  PhysicalMemory,
  report,
} from './hostile-values.js';

callConstructor();
for (const access of ['mapped', 'bytes']) callMemory(access);
callNetlink();
report('the end', {});

function callNetlink() {
  for (const value of numbers) {
    call(`a socket of protocol ${String(value)}`, () => new NetlinkSocket(value, undefined).close());
    if (value !== undefined)
      call(`a socket in namespace ${String(value)}`, () => new NetlinkSocket(16, value).close());
  }
  for (const value of numbers) call(`the peer of ${String(value)}`, () => peerCredentials(value));
  const socket = new NetlinkSocket(16, undefined);
  for (const value of numbers) call(`join ${String(value)}`, () => socket.join(value));
  for (const [index, array] of arrays.entries()) {
    call(`send ${index}`, () => socket.send(array));
    call(`receive into ${index}`, () => socket.receive(array));
    call(`onReadable ${index}`, () => socket.onReadable(array));
  }
  call('send too much', () => socket.send(new Uint8Array(2 ** 28)));
  for (const method of ['join', 'send', 'receive', 'onReadable', 'close']) {
    call(`${method} without arguments`, () => socket[method]());
    call(`${method} of another object`, () => socket[method].call({}, 0));
    call(`${method} of physical memory`, () =>
      socket[method].call(Object.create(PhysicalMemory.prototype), 0),
    );
  }
  call('no new socket', () => NetlinkSocket(16, undefined));
  socket.close();
  for (const [method, argument] of [
    ['join', 1],
    ['send', byteBuffer(1)],
    ['receive', byteBuffer(1)],
    ['onReadable', () => undefined],
  ])
    call(`${method} once closed`, () => socket[method](argument));
}
