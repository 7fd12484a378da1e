// The part of the benchmarks that measures the reaction in a guest: `inside-reaction DIRECTORY [quick]`.
import { runInGuestScript } from './in-guest.js';
import { react } from './reaction.js';

// An emulated processor can encrypt only a little, so the rate is low.
await runInGuestScript((course) => react(course, { backend: 'devmem', kbit: 400, where: 'guest, mapped' }));
