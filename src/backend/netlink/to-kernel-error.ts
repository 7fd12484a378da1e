import { release } from 'node:os';
import { KernelError, NoProcessError } from '../../model/kernel-error.js';
import { NetlinkError } from './netlink-error.js';

/** By error code of the system. */
const REMEDIES: Readonly<Record<string, string>> = {
  EPERM:
    'run subflowd as root, or give it CAP_NET_ADMIN, and for servers in other network namespaces CAP_SYS_ADMIN and ' +
    'RestrictNamespaces=net (openvpn-conf/subflowd-helper.service, and subflowd-helper.service.d/namespaces.conf beside it)',
  EACCES: 'run subflowd as root, or give it CAP_SYS_PTRACE (openvpn-conf/subflowd-helper.service)',
  EOPNOTSUPP: 'boot Linux 5.19 or later, or choose backend = devmem',
  EMFILE: 'raise LimitNOFILE= of subflowd',
};

/** The error that an admin reads, with its remedy. @param pid the process of the server that was observed, if there is one. */
export function toKernelError(error: unknown, pid?: number): KernelError {
  if (error instanceof KernelError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (pid !== undefined && !(error instanceof NetlinkError) && (code === 'ENOENT' || code === 'ESRCH')) {
    return new NoProcessError(pid, { cause: error });
  }
  if (code === 'ENOENT' || code === 'EPROTONOSUPPORT') {
    return new KernelError(
      'netlink',
      `kernel ${release()} has no MPTCP path manager (${message})`,
      'boot Linux 5.19 or later with CONFIG_MPTCP=y and CONFIG_INET_DIAG (Debian has them)',
      { cause: error },
    );
  }
  return new KernelError('netlink', message, REMEDIES[code], { cause: error });
}
