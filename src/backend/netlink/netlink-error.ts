/** A netlink request failed. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** @param code of the system call or of the kernel's answer, e.g. `EPERM`; `EBADMSG`: the answer is not a complete message. */
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${message} (${code})`, options);
  }
}

/** The kernel refused the request. No other answer to it follows. */
export class Refusal extends NetlinkError {}
