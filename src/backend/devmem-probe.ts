import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import { HOST_SOURCES } from '../kernel/kernel.js';
import { MAKE_LAYOUT, readLayout, type LayoutFile } from '../kernel/layout/layout-file.js';
import { hasAddressId } from '../kernel/walk/address-id-slot.js';
import { parseIomem } from '../kernel/memory/iomem.js';
import { bad, note, ok, type Check } from '../model/check.js';
import { KernelError } from '../model/kernel-error.js';
import { DevmemBackend } from './devmem.js';
import { REPORT_THIS } from './remedies.js';

/** Checks whether the backend devmem works on this host. @param layout `btf`, or the path of a layout file. */
export async function probeDevmem(layout: string): Promise<readonly Check[]> {
  const layoutCheck = await checkLayout(layout);
  const memoryChecks = await checkMemory(layout);
  // both find the same fault of a layout
  const isRepeated = ({ name }: Check) => name === 'layout' && layoutCheck.verdict === 'bad';
  return [layoutCheck, ...checkLockdown(), ...memoryChecks.filter((check) => !isRepeated(check))];
}

/** Checks the layout separately, so that a problem with /dev/mem does not hide one with the layout. */
async function checkLayout(layout: string): Promise<Check> {
  try {
    if (layout !== 'btf') {
      return judgeLayout(layout, await readLayout(layout, HOST_SOURCES.notes));
    }
    if (existsSync(HOST_SOURCES.btf))
      return ok('layout', `${HOST_SOURCES.btf} describes the kernel's structures`);
    return bad(
      'layout',
      `kernel ${release()} does not describe its structures: there is no ${HOST_SOURCES.btf}`,
      `boot a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian has it), or ${MAKE_LAYOUT}`,
    );
  } catch (error) {
    const { message, remedy } = error as KernelError;
    return bad('layout', message, remedy ?? MAKE_LAYOUT);
  }
}

/** Judges a layout file that belongs to the running kernel. @param name of the file. */
export function judgeLayout(name: string, { release, layout }: LayoutFile): Check {
  const found = `${name} is the running kernel's, ${release}`;
  if (hasAddressId(layout)) return ok('layout', found);
  return note(
    'layout',
    `${found}, but an earlier version of subflowd made it: it has no address IDs, so no subflow is on a path with address-id`,
    `${MAKE_LAYOUT}; then: systemctl restart subflowd`,
  );
}

/**
 * Checks that kernel lockdown, which closes /dev/mem even for root, is off. The file has all modes, with the present one in
 * brackets: `none [integrity] confidentiality`.
 */
function checkLockdown(): readonly Check[] {
  let text: string;
  try {
    text = readFileSync('/sys/kernel/security/lockdown', 'utf8');
  } catch {
    return [];
  }
  const mode = /\[(\w+)\]/.exec(text)?.[1] ?? 'none';
  if (mode === 'none') return [];
  const remedy = 'boot with lockdown=none, or switch off Secure Boot';
  return [bad('lockdown', `the kernel is locked down (${mode})`, remedy)];
}

/** Checks that /dev/mem shows RAM, and that the backend finds its way in it. */
async function checkMemory(layout: string): Promise<readonly Check[]> {
  if (!existsSync(HOST_SOURCES.memory)) {
    const remedy =
      'boot a kernel with CONFIG_DEVMEM=y and CONFIG_STRICT_DEVMEM=n; in a container, give it the device';
    return [bad('memory', '/dev/mem does not exist', remedy)];
  }
  if (isStrict()) {
    const found = '/dev/mem is strict: it does not show RAM, not even to root';
    return [bad('memory', found, 'boot a kernel with CONFIG_STRICT_DEVMEM=n')];
  }
  try {
    const backend = await DevmemBackend.open(layout);
    const { description, kind, proof, notifiesPeer } = backend;
    await backend.close();
    return [
      notifiesPeer
        ? ok('memory', description)
        : note('memory', description, 'boot with the kernel parameter nopat'),
      ok('kernel', kind),
      ok('proof', proof),
    ];
  } catch (error) {
    // doctor still checks the rest of the host, whatever this error is
    const { message } = error as Error;
    const { step, remedy } = error instanceof KernelError ? error : { step: undefined, remedy: undefined };
    const name = step === 'layout' || step === 'memory' ? step : 'kernel';
    return [bad(name, message, remedy ?? REPORT_THIS)];
  }
}

/** A strict /dev/mem refuses a read of RAM with EPERM (drivers/char/mem.c, read_mem). Any page of RAM shows it. */
function isStrict(): boolean {
  try {
    const ram = parseIomem(readFileSync(HOST_SOURCES.iomem, 'utf8')).systemRam.at(-1);
    const file = openSync(HOST_SOURCES.memory, 'r');
    try {
      readSync(file, Buffer.alloc(1), 0, 1, ram?.start ?? 0n);
      return false;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    return code === 'EPERM' && syscall === 'read';
  }
}
