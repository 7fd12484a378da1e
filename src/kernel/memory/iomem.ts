import { KernelError } from '../../model/kernel-error.js';

/**
 * The remedy for a process that may not open /dev/mem, or to which /proc shows zeros instead of addresses. A devmem.conf of
 * an older version does not run it as root.
 */
export const RUN_AS_ROOT =
  'run subflowd as root; for the helper, copy openvpn-conf/subflowd-helper.service.d/devmem.conf beside its unit, then: ' +
  'systemctl daemon-reload && systemctl restart subflowd-helper subflowd';

/** The parts of `/proc/iomem` that this program needs. Physical addresses; `end` is one past the last byte. */
export interface Iomem {
  readonly systemRam: readonly { readonly start: bigint; readonly end: bigint }[];
  /** Where the kernel image starts (`_text`). */
  readonly kernelCode: bigint;
}

/**
 * Parses the text of `/proc/iomem`.
 * @throws {KernelError} if it has no System RAM or no kernel code. A reader without CAP_SYS_ADMIN sees only zeros.
 */
export function parseIomem(text: string): Iomem {
  const systemRam: { start: bigint; end: bigint }[] = [];
  let kernelCode: bigint | undefined;
  for (const line of text.split('\n')) {
    const match = /^(\s*)([0-9a-f]+)-([0-9a-f]+) : (.*)$/.exec(line);
    if (!match) continue;
    const [, indent, start, end, name] = match as unknown as [string, string, string, string, string];
    // Only top-level entries: an entry inside another one does not add RAM.
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
