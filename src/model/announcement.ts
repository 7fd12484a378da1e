/** Addresses of a server to announce to the client of one connection (ADD_ADDR, RFC 8684 section 3.4.1). */
export interface Announcement {
  /** The server's process. */
  readonly pid: number;
  /** The token of the connection. */
  readonly token: number;
  /** Canonical text, each once; only those that no subflow of the connection uses. */
  readonly addresses: readonly string[];
}
