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

/** The process of a server has ended. */
export class NoProcessError extends KernelError {
  constructor(pid: number, options?: ErrorOptions) {
    super('task', `there is no process ${pid}`, undefined, options);
  }
}
