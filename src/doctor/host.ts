import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { release } from 'node:os';
import path from 'node:path';
import type { Backend } from '../backend/backend.js';
import { DevmemBackend } from '../backend/devmem.js';
import { NetlinkBackend } from '../backend/netlink.js';
import { readPmType } from '../backend/open.js';
import type { KernelConfig } from '../config/config.js';
import { parseIomem } from '../kernel/memory/iomem.js';
import { HOST_SOURCES } from '../kernel/kernel.js';
import { KernelError } from '../model/kernel-error.js';
import { MAKE_LAYOUT, readLayout } from '../kernel/layout/layout-file.js';
import { bad, note, ok, type Check } from './check.js';
import { checkOwnPmType } from './path-manager.js';

/** What a host can do, and by which backend. */
export interface HostChecks {
  readonly checks: readonly Check[];
  /** What a daemon would use now. */
  readonly backend: Backend['name'];
}

/** What must be true of this host, whatever its servers, for the backend that the config asks for. */
export async function checkHost({ backend: wanted, layout }: KernelConfig): Promise<HostChecks> {
  const base = [checkRoot(), checkMptcp(), ...checkScheduler()];
  if (wanted === 'devmem') return { checks: [...base, ...(await checkDevmem(layout))], backend: 'devmem' };
  const netlink = await checkNetlink();
  if (wanted === 'netlink') {
    const ours =
      netlink.verdict === 'ok' ? [checkOwnPmType('sessions of servers here cannot be switched')] : [];
    return { checks: [...base, netlink, ...ours], backend: 'netlink' };
  }
  if (netlink.verdict === 'ok' && readPmType() === 1) {
    return { checks: [...base, netlink, checkOwnPmType('')], backend: 'netlink' };
  }
  const devmem = await checkDevmem(layout);
  const memoryWorks = devmem.every(({ verdict }) => verdict !== 'bad');
  if (memoryWorks) return { checks: [...base, ...devmem], backend: 'devmem' };
  return netlink.verdict === 'ok'
    ? {
        checks: [...base, netlink, checkOwnPmType('sessions of servers here cannot be switched')],
        backend: 'netlink',
      }
    : { checks: [...base, netlink, ...devmem], backend: 'netlink' };
}

async function checkNetlink(): Promise<Check> {
  try {
    const backend = await NetlinkBackend.open();
    const { description } = backend;
    await backend.close();
    return ok('netlink', description);
  } catch (error) {
    const { message, remedy } = error as Error & { remedy?: string };
    return bad('netlink', message, remedy ?? 'report this, with the output of subflowd doctor --json');
  }
}

async function checkDevmem(layout: string): Promise<Check[]> {
  const described = await checkLayout(layout);
  const memory = await checkMemory(layout);
  const isTold = ({ name }: Check) => name === 'layout' && described.verdict === 'bad';
  return [described, ...lockdown(), ...memory.filter((check) => !isTold(check))];
}

/** Looked at by itself: what is wrong with /dev/mem hides nothing of it. */
async function checkLayout(layout: string): Promise<Check> {
  try {
    if (layout !== 'btf') {
      const file = await readLayout(layout, HOST_SOURCES.notes);
      return ok('layout', `${layout} is the running kernel's, ${file.release}`);
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

function checkRoot(): Check {
  const uid = process.geteuid?.();
  return uid === 0
    ? ok('root', 'running as root')
    : bad('root', `running as user ${uid ?? 'unknown'}`, 'run it as root: sudo subflowd doctor');
}

function checkMptcp(): Check {
  // upstream's, and multipath-tcp.org's
  const file = ['enabled', 'mptcp_enabled']
    .map((name) => `/proc/sys/net/mptcp/${name}`)
    .find((name) => existsSync(name));
  if (file === undefined) {
    return bad(
      'mptcp',
      `kernel ${release()} has no MPTCP`,
      'boot a kernel with CONFIG_MPTCP=y (Debian has it)',
    );
  }
  const name = `net.mptcp.${path.basename(file)}`;
  const value = readFileSync(file, 'utf8').trim();
  // multipath-tcp.org's 2: for sockets that ask for it, which OpenVPN's do not
  return value === '1'
    ? ok('mptcp', `${name} = 1`)
    : bad('mptcp', `${name} = ${value}`, `sysctl -w ${name}=1`);
}

/** Schedulers that are known to ask for priorities; multipath-tcp.org's `roundrobin` does not, a BPF one may not. */
const HEEDING = new Set(['default', 'redundant', 'blest', 'ecf', 'burst']);

function checkScheduler(): Check[] {
  // upstream's (since 6.6), and multipath-tcp.org's
  for (const name of ['scheduler', 'mptcp_scheduler']) {
    let scheduler: string;
    try {
      scheduler = readFileSync(`/proc/sys/net/mptcp/${name}`, 'utf8').trim();
    } catch {
      continue;
    }
    const what = `net.mptcp.${name} = ${scheduler}`;
    return HEEDING.has(scheduler)
      ? [ok('scheduler', what)]
      : [
          bad(
            'scheduler',
            `${what}: it is not known to ask for priorities`,
            `sysctl -w net.mptcp.${name}=default`,
          ),
        ];
  }
  return [];
}

async function checkMemory(layout: string): Promise<Check[]> {
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
    const backend = await DevmemBackend.open(layout);
    const { description, kind, proof, tellsPeer } = backend;
    await backend.close();
    return [
      tellsPeer
        ? ok('memory', description)
        : note('memory', description, 'boot with the kernel parameter nopat'),
      ok('kernel', kind),
      ok('proof', proof),
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
