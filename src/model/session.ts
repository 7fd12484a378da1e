import { formatEndpoint, type Endpoint } from './endpoint.js';

/** What a client's packets come over. OpenVPN 2.7 serves both in one process, so it is part of who a client is. */
export type Protocol = 'tcp' | 'udp';

/** One connected OpenVPN client. */
export interface Session {
  /** NAME of the server's `[openvpn NAME]` section. */
  readonly server: string;
  /** The server's process. */
  readonly pid: number;
  /** As OpenVPN gives it: any UTF-8 text. */
  readonly commonName: string;
  /** Where OpenVPN sees the client come from. */
  readonly real: Endpoint;
  /** Addresses inside the tunnel, canonical text; empty when OpenVPN has not said. */
  readonly virtual: readonly string[];
  /** OpenVPN's client ID; only the management interface tells it. */
  readonly cid?: number;
  /** When the client connected, Unix time in seconds. */
  readonly since?: number;
  /** Absent where nobody has said it: OpenVPN before 2.7 without hooks, or hooks alone where a process serves both. */
  readonly protocol?: Protocol;
  /** OpenVPN lists it, but has not let it in: it is still being asked who it is, or was refused. */
  readonly notLetIn?: true;
}

/** A session whose port OpenVPN has not reported. Only the kernel's connections show which one it is. */
export interface SessionWithoutPort extends Omit<Session, 'real'> {
  /** Canonical text. */
  readonly address: string;
}

/** A session with or without its port. */
export type AnySession = Session | SessionWithoutPort;

/** A client of one process: UDP and TCP can have the same address and port at once. */
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
