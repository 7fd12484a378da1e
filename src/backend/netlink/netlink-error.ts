/** A netlink request that came to nothing. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  /** @param code the system's or the kernel's answer, e.g. `EPERM`; `EBADMSG`: what came is no whole message. */
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`${message} (${code})`, options);
  }
}

/** The kernel's answer to a request is that it refuses it: nothing else is on its way. */
export class Refusal extends NetlinkError {}
