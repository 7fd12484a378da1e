import { lacking } from '../lab/needs.js';
import { kernelVersions, labKernel } from '../lab/kernel.js';

/** Builds the guest kernels before the end-to-end tests, so that no test's timeout includes that. */
export async function setup(): Promise<void> {
  if (lacking('guest') !== undefined) return;
  for (const version of kernelVersions) await labKernel(version);
}
