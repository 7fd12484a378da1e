import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';

/** Files of one certificate. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

const configuration = `
[req]
distinguished_name = name
string_mask = utf8only
utf8 = yes
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
[client]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
`;

/** A certificate authority made for one experiment, in a directory of its own. */
export class Authority {
  #issued = 0;

  private constructor(
    private readonly directory: string,
    readonly certificate: string,
    private readonly key: string,
  ) {}

  static async create(directory: string): Promise<Authority> {
    await writeFile(path.join(directory, 'openssl.cnf'), configuration);
    const { certificate, key } = await request(directory, 'ca', 'lab authority', 'authority', []);
    return new Authority(directory, certificate, key);
  }

  /** @param commonName any UTF-8 text of 1 to 64 characters. */
  async issue(commonName: string, role: 'server' | 'client'): Promise<Identity> {
    this.#issued += 1;
    const signer = ['-CA', this.certificate, '-CAkey', this.key];
    return request(this.directory, `${role}${this.#issued}`, commonName, role, signer);
  }
}

/** One openssl run makes the key and signs the certificate; elliptic curves because RSA keys take seconds. */
async function request(
  directory: string,
  name: string,
  commonName: string,
  extensions: string,
  signer: readonly string[],
): Promise<Identity> {
  const certificate = path.join(directory, `${name}.crt`);
  const key = path.join(directory, `${name}.key`);
  await execa('openssl', [
    ...['req', '-x509', '-config', path.join(directory, 'openssl.cnf'), '-extensions', extensions, '-utf8'],
    ...['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc', '-days', '3650', '-sha256'],
    ...['-subj', `/CN=${commonName.replaceAll(/[\\/+]/g, '\\$&')}`],
    ...['-keyout', key, '-out', certificate, ...signer],
  ]);
  return { certificate, key };
}
