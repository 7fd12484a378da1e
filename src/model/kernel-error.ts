/** The steps at which access to the kernel can fail, in the order from the host's files to a subflow's field. */
export const STEPS = [
  'helper',
  'addon',
  'memory',
  'symbols',
  'layout',
  'address translation',
  'task',
  'fd table',
  'file',
  'inode',
  'socket',
  'meta-socket',
  'subflow list',
  'subflow',
  'field',
  'netlink',
] as const;

export type Step = (typeof STEPS)[number];

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
