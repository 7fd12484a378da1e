import { lacking } from '../lab/needs.js';
import { labKernel } from '../lab/kernel.js';

/** Before the end-to-end tests: the guest kernel, so that no test's time goes into building it. */
export async function setup(): Promise<void> {
  if (lacking('guest') === undefined) await labKernel();
}
