import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';

const EC_KEY = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/** A certificate authority for tests. Its certificates are valid for two days. */
export class TestAuthority {
  private constructor(private readonly directory: string) {}

  /** @param directory where all certificates and keys are; it is created. */
  static async create(directory: string): Promise<TestAuthority> {
    mkdirSync(directory);
    const authority = new TestAuthority(directory);
    await authority.#openssl('ca', 'test authority', EC_KEY, ['-x509', '-out', 'ca.crt', '-days', '2']);
    return authority;
  }

  /**
   * Makes a key and its certificate.
   * @param name of their files, see {@link file}.
   * @param key what `openssl req -newkey` needs; an EC key by default.
   */
  async issue(name: string, commonName: string, key: readonly string[] = EC_KEY): Promise<void> {
    await this.#openssl(name, commonName, key, [
      ...['-x509', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-out', `${name}.crt`, '-days', '2'],
      ...['-addext', 'basicConstraints=CA:FALSE'],
    ]);
  }

  /** Encrypts a private key with a password. */
  async encrypt(name: string, password: string): Promise<void> {
    const file = this.file(name, 'key');
    await execa('openssl', [
      'pkey',
      '-in',
      file,
      '-aes256',
      '-passout',
      `pass:${password}`,
      '-out',
      `${file}.new`,
    ]);
    renameSync(`${file}.new`, file);
  }

  /** Path of a certificate or a key. */
  file(name: string, suffix: 'crt' | 'key'): string {
    return join(this.directory, `${name}.${suffix}`);
  }

  /** The line of OpenVPN's config that names the authority. */
  get caLine(): string {
    return `ca ${this.file('ca', 'crt')}`;
  }

  /** The lines of OpenVPN's config that name the authority, a certificate and its key. */
  credentialLines(name: string): string[] {
    return [this.caLine, `cert ${this.file(name, 'crt')}`, `key ${this.file(name, 'key')}`];
  }

  async #openssl(
    name: string,
    commonName: string,
    key: readonly string[],
    args: readonly string[],
  ): Promise<void> {
    // OpenSSL's config needs escapes for backslash, quotes, # and $, and \n for a line end
    const value = commonName.replace(/[\\"'`#$;]/g, '\\$&').replaceAll('\n', '\\n');
    const config = [
      '[req]',
      'prompt = no',
      'utf8 = yes',
      'string_mask = utf8only',
      'distinguished_name = dn',
    ];
    const extensions = name === 'ca' ? ['x509_extensions = ca', '[ca]', 'basicConstraints = CA:TRUE'] : [];
    writeFileSync(
      join(this.directory, `${name}.cnf`),
      [...config, ...extensions, '[dn]', `CN = ${value}`, ''].join('\n'),
    );
    await execa(
      'openssl',
      ['req', '-config', `${name}.cnf`, '-utf8', '-newkey'].concat(
        key,
        ['-nodes', '-keyout', `${name}.key`],
        args,
      ),
      { cwd: this.directory },
    );
  }
}

/** Writes an OpenSSL config with the RSA signatures that every version of OpenVPN can request. */
export function writeConfigWithoutPss(file: string): void {
  const section = (name: string, line: string) => `[${name}]\n${line}\n`;
  writeFileSync(
    file,
    'openssl_conf = all\n' +
      section('all', 'ssl_conf = ssl') +
      section('ssl', 'system_default = signatures') +
      section('signatures', 'SignatureAlgorithms = RSA+SHA256:ECDSA+SHA256'),
  );
}
