/** Accounts of NATS as an operator signs them: the server's part of a configuration, and a user's file of credentials. */
import { nkeys } from '@nats-io/transport-node';

type KeyPair = ReturnType<typeof nkeys.createUser>;

export interface Accounts {
  /** For a server's configuration. */
  readonly configuration: string;
  /** A file's text, of a user of the account that gateways use. */
  readonly credentials: string;
  /** Likewise, of a user whom somebody else has signed. */
  readonly strange: string;
}

export function makeAccounts(): Accounts {
  const [operator, account, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const preloaded = [account, system].map((each) => {
    const storage = each === account ? -1 : 0;
    const limits = { ...LIMITS, mem_storage: storage, disk_storage: storage };
    return `${each.getPublicKey()}: ${token(operator, each, { type: 'account', limits })}`;
  });
  const configuration = `
    operator: ${token(operator, operator, { type: 'operator', system_account: system.getPublicKey() })}
    system_account: ${system.getPublicKey()}
    resolver: MEMORY
    resolver_preload: { ${preloaded.join(', ')} }`;
  return { configuration, credentials: credentialsOf(account), strange: credentialsOf(nkeys.createAccount()) };
}

function credentialsOf(account: KeyPair): string {
  const user = nkeys.createUser();
  const claims = { type: 'user', subs: -1, data: -1, payload: -1, pub: {}, sub: {} };
  return `-----BEGIN NATS USER JWT-----
${token(account, user, claims)}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${new TextDecoder().decode(user.getSeed())}
------END USER NKEY SEED------
`;
}

/** A JSON web token as NATS has them. */
function token(issuer: KeyPair, subject: KeyPair, claims: object): string {
  const of = { jti: 'test', iat: 1_700_000_000, iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name: 'test' };
  const parts = [
    { typ: 'JWT', alg: 'ed25519-nkey' },
    { ...of, nats: { ...claims, version: 2 } },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

const LIMITS = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
  ...{ streams: -1, consumer: -1 },
};
