import { KernelError, RUN_AS_ROOT } from '../../model/kernel-error.js';

/** What `/proc/iomem` says of physical memory; addresses in bytes, `end` one past the last. */
export interface Iomem {
  readonly systemRam: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Where the kernel image's text starts (`_text`). */
  readonly kernelCode: bigint;
}

/**
 * Parses the text of `/proc/iomem`.
 * @throws {KernelError} if it names no System RAM, as for a reader without CAP_SYS_ADMIN (all addresses 0), or no
 * kernel code.
 */
export function parseIomem(text: string): Iomem {
  const systemRam: { start: bigint; end: bigint }[] = [];
  let kernelCode: bigint | undefined;
  for (const line of text.split('\n')) {
    const match = /^(\s*)([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line);
    if (!match) continue;
    const [, indent, start, end, name] = match as unknown as [string, string, string, string, string];
    // Only top-level entries: what lies inside one of them is not RAM of its own.
    if (indent === '' && name === 'System RAM') {
      systemRam.push({ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) + 1n });
    } else if (name === 'Kernel code') {
      kernelCode = BigInt(`0x${start}`);
    }
  }
  if (!systemRam.some(({ end }) => end > 1n)) {
    throw new KernelError('memory', '/proc/iomem shows no addresses of System RAM', RUN_AS_ROOT);
  }
  if (kernelCode === undefined) {
    throw new KernelError('address translation', '/proc/iomem does not say where the kernel code is');
  }
  return { systemRam, kernelCode };
}
