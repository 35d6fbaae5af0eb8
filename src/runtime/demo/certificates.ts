/**
 * Certificate authorities and leaves made with the openssl command, as files in one directory. The demonstration's and
 * the tests' only; nothing here is fit for anything that lasts.
 */
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type KeyAlgorithm = 'rsa' | 'p-256';

/** Paths of PEM files. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly issuer: Identity;
  readonly names: readonly string[];
  readonly key?: KeyAlgorithm;
  /** Signs with this one's key instead of a new one: the same public key in another certificate. */
  readonly sameKeyAs?: Identity;
  readonly days?: number;
}

export class CertificateShop {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  authority(name: string, options: { key?: KeyAlgorithm; issuer?: Identity } = {}): Identity {
    const extensions = [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,cRLSign',
      'subjectKeyIdentifier=hash',
    ];
    return this.#issue(name, `/O=tlspin/CN=${name}`, extensions, 30, options);
  }

  leaf(name: string, options: LeafOptions): Identity {
    const extensions = [
      'basicConstraints=critical,CA:FALSE',
      'extendedKeyUsage=serverAuth',
      'subjectKeyIdentifier=hash',
      `subjectAltName=${options.names.map((dns) => `DNS:${dns}`).join(',')}`,
    ];
    return this.#issue(name, `/CN=${options.names[0] ?? name}`, extensions, options.days ?? 30, options);
  }

  /** One file with several certificates, in this order. */
  chain(name: string, ...certificates: readonly string[]): string {
    const file = this.#path(`${name}.chain.pem`);
    writeFileSync(file, certificates.map((certificate) => readFileSync(certificate, 'utf8')).join(''));
    return file;
  }

  #issue(
    name: string,
    subject: string,
    extensions: readonly string[],
    days: number,
    options: { key?: KeyAlgorithm; issuer?: Identity; sameKeyAs?: Identity },
  ): Identity {
    const identity = { cert: this.#path(`${name}.pem`), key: options.sameKeyAs?.key ?? this.#path(`${name}.key`) };
    if (options.sameKeyAs === undefined) openssl('genpkey', ...KEYS[options.key ?? 'p-256'], '-out', identity.key);
    const request = this.#path(`${name}.csr`);
    const config = this.#path('openssl.cnf');
    writeFileSync(config, '[req]\ndistinguished_name = dn\n[dn]\n');
    openssl('req', '-new', '-config', config, '-key', identity.key, '-subj', subject, '-out', request);
    const extensionFile = this.#path(`${name}.ext`);
    writeFileSync(extensionFile, `${extensions.join('\n')}\n`);
    const signer =
      options.issuer === undefined
        ? ['-signkey', identity.key]
        : ['-CA', options.issuer.cert, '-CAkey', options.issuer.key, '-CAcreateserial'];
    const rest = ['-extfile', extensionFile, '-days', `${days}`, '-sha256', '-out', identity.cert];
    openssl('x509', '-req', '-in', request, ...signer, ...rest);
    return identity;
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** `sha256//…` of a certificate's public key, as curl spells it. */
export function spkiPin(certificate: string): string {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  return `sha256//${createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')}`;
}

const KEYS: Readonly<Record<KeyAlgorithm, readonly string[]>> = {
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'p-256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:named_curve'],
};

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
