/**
 * Where systems keep the certificates that their programs trust, as one PEM bundle. A file and not what Node brings along:
 * what administrators add to it counts, and a change of it is seen as of any other file that a configuration refers to.
 */

/** What `checks.trust` calls it. */
export const SYSTEM = 'system';

/** The first that exists is the system's: Debian and its like, Fedora's, SUSE's, Alpine's and BSD's. */
export const SYSTEM_STORES: readonly string[] = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
