/** The step at which access to the kernel failed, in the order of the steps from the host's files to a subflow's field. */
export type Step =
  | 'addon'
  | 'memory'
  | 'symbols'
  | 'layout'
  | 'address translation'
  | 'task'
  | 'fd table'
  | 'file'
  | 'inode'
  | 'socket'
  | 'meta-socket'
  | 'subflow list'
  | 'subflow'
  | 'field'
  | 'netlink';

/** What lets a process reach /dev/mem and the addresses of /proc; in the older drop-in of the service it was no root yet. */
export const RUN_AS_ROOT =
  'run subflowd as root; the daemon by openvpn-conf/subflowd.service.d/devmem.conf beside its unit, then: ' +
  'systemctl daemon-reload && systemctl restart subflowd';

/** Access to the kernel failed at `step`. `remedy`, if there is one, says how to fix it. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  constructor(
    readonly step: Step,
    message: string,
    readonly remedy?: string,
    options?: ErrorOptions,
  ) {
    super(`${step}: ${message}`, options);
  }
}
