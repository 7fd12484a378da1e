import type { Endpoint } from '../endpoint.js';

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
}
