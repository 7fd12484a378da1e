import { lacking } from '../lab/needs.js';
import { kernelVersions, labKernel } from '../lab/kernel.js';

/** Before the end-to-end tests: the guest kernels, so that no test's time goes into building them. */
export async function setup(): Promise<void> {
  if (lacking('guest') !== undefined) return;
  for (const version of kernelVersions) await labKernel(version);
}
