import { formatEndpoint, type Endpoint } from './endpoint.js';

/** The protocol that carries the tunnel. OpenVPN 2.7 serves both in one process, so the protocol helps to identify a client. */
export type Protocol = 'tcp' | 'udp';

/** One connected OpenVPN client. */
export interface Session {
  /** NAME of the server's `[openvpn NAME]` section. */
  readonly server: string;
  /** The server's process. */
  readonly pid: number;
  /** As OpenVPN reports it: any UTF-8 text. */
  readonly commonName: string;
  /** The address and port that the client connects from, as OpenVPN reports them. */
  readonly real: Endpoint;
  /** Addresses inside the tunnel, canonical text; empty if OpenVPN has not reported any. */
  readonly virtual: readonly string[];
  /** OpenVPN's client ID; only the management interface reports it. */
  readonly cid?: number;
  /** When the client connected, Unix time in seconds. */
  readonly since?: number;
  /**
   * Absent if it is not known. OpenVPN before 2.7 reports it only to hooks, and hooks do not report it if one process serves
   * both protocols.
   */
  readonly protocol?: Protocol;
  /** OpenVPN lists the client, but has not authenticated it yet, or has refused it. */
  readonly notLetIn?: true;
}

/** A session whose port OpenVPN has not reported. Only the kernel's connections show which one it is. */
export interface SessionWithoutPort extends Omit<Session, 'real'> {
  /** Canonical text. */
  readonly address: string;
}

/** A session with or without its port. */
export type AnySession = Session | SessionWithoutPort;

/** A key for the clients of one process. UDP and TCP clients can have the same address and port at once. */
export function clientKey({ real, protocol }: Pick<Session, 'real' | 'protocol'>): string {
  return protocol === 'udp' ? `udp ${formatEndpoint(real)}` : formatEndpoint(real);
}

/**
 * `SERVER/COMMON NAME`: names a client for admins and in files, and stays the same over reconnects. A server's name has
 * no slash, so the first slash ends it.
 */
export function qualifiedName({ server, commonName }: Pick<Session, 'server' | 'commonName'>): string {
  return `${server}/${commonName}`;
}
