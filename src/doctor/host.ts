import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import { DevmemBackend } from '../backend/devmem.js';
import { parseIomem } from '../kernel/iomem.js';
import { HOST_SOURCES } from '../kernel/kernel.js';
import { KernelError } from '../kernel/kernel_error.js';
import { bad, note, ok, type Check } from './check.js';

/** What must be true of this host, whatever its servers. */
export async function checkHost(): Promise<Check[]> {
  return [checkRoot(), checkMptcp(), checkLayout(), ...lockdown(), ...(await checkMemory())];
}

function checkRoot(): Check {
  const uid = process.geteuid?.();
  return uid === 0
    ? ok('root', 'running as root')
    : bad('root', `running as user ${uid ?? 'unknown'}`, 'run it as root: sudo subflowd doctor');
}

function checkMptcp(): Check {
  const file = '/proc/sys/net/mptcp/enabled';
  if (!existsSync(file)) {
    return bad(
      'mptcp',
      `kernel ${release()} has no MPTCP`,
      'boot a kernel with CONFIG_MPTCP=y (Debian has it)',
    );
  }
  return readFileSync(file, 'utf8').trim() === '1'
    ? ok('mptcp', 'net.mptcp.enabled = 1')
    : bad('mptcp', 'net.mptcp.enabled = 0', 'sysctl -w net.mptcp.enabled=1');
}

function checkLayout(): Check {
  const { btf } = HOST_SOURCES;
  return existsSync(btf)
    ? ok('layout', `${btf} describes the kernel's structures`)
    : bad(
        'layout',
        `kernel ${release()} does not describe its structures: there is no ${btf}`,
        'boot a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian has it)',
      );
}

async function checkMemory(): Promise<Check[]> {
  if (!existsSync(HOST_SOURCES.memory)) {
    return [
      bad(
        'memory',
        '/dev/mem does not exist',
        'boot a kernel with CONFIG_DEVMEM=y and CONFIG_STRICT_DEVMEM=n; in a container, give it the device',
      ),
    ];
  }
  if (isStrict()) {
    return [
      bad(
        'memory',
        '/dev/mem is strict: it does not show RAM, not even to root',
        'boot a kernel with CONFIG_STRICT_DEVMEM=n',
      ),
    ];
  }
  try {
    const backend = await DevmemBackend.open();
    const { description, proof, tellsPeer } = backend;
    await backend.close();
    return [
      tellsPeer
        ? ok('memory', description)
        : note('memory', description, 'boot with the kernel parameter nopat'),
      ok('kernel', proof),
    ];
  } catch (error) {
    // Whatever is wrong here, the rest of the host is still looked at.
    const { message } = error as Error;
    const { step, remedy } = error instanceof KernelError ? error : { step: undefined, remedy: undefined };
    const name = step === 'layout' ? 'layout' : step === 'memory' ? 'memory' : 'kernel';
    return [bad(name, message, remedy ?? 'report this, with the output of subflowd doctor --json')];
  }
}

/** A strict /dev/mem refuses a read of RAM with EPERM (drivers/char/mem.c, read_mem); any page of RAM shows it. */
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

/** Kernel lockdown closes /dev/mem for everybody, root too. */
function lockdown(): Check[] {
  let text: string;
  try {
    text = readFileSync('/sys/kernel/security/lockdown', 'utf8');
  } catch {
    return [];
  }
  const mode = /\[(\w+)\]/.exec(text)?.[1] ?? 'none';
  return mode === 'none'
    ? []
    : [
        bad(
          'lockdown',
          `the kernel is locked down (${mode})`,
          'boot with lockdown=none, or switch off Secure Boot',
        ),
      ];
}
