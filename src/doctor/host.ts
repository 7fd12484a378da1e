import { readFileSync, existsSync } from 'node:fs';
import { release } from 'node:os';
import { DevmemBackend } from '../backend/devmem.js';
import { KernelError } from '../kernel/kernel_error.js';
import { bad, note, ok, type Check } from './check.js';

/** What must be true of this host, whatever its servers. */
export async function checkHost(): Promise<Check[]> {
  return [checkRoot(), checkMptcp(), ...(await checkMemory())];
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

async function checkMemory(): Promise<Check[]> {
  const locked = lockdown();
  if (!existsSync('/dev/mem')) {
    return [
      bad(
        'memory',
        '/dev/mem does not exist',
        'boot a kernel with CONFIG_DEVMEM=y and CONFIG_STRICT_DEVMEM=n; in a container, give it the device',
      ),
      ...locked,
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
      ...locked,
    ];
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const name = error.step === 'layout' ? 'layout' : error.step === 'memory' ? 'memory' : 'kernel';
    return [
      bad(name, error.message, error.remedy ?? 'report this, with the output of subflowd doctor --json'),
      ...locked,
    ];
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
