/**
 * What a man in the middle does to datagrams of DTLS between a client of OpenSSL's and his own server, with the genuine one
 * at hand. Plain data, so that fast-check shrinks and keeps it.
 */
import fc from 'fast-check';

export interface DatagramProgram {
  readonly version: 4 | 6;
  readonly pinned: 'leaf' | 'issuer';
  /** Who answers first, and who behind his datagram of that number. */
  readonly first: 'forged' | 'genuine';
  readonly switchesAt: number;
  readonly mtu: 1300 | 300;
  readonly edits: readonly DatagramEdit[];
}

/** `at`: which of the datagrams towards the client; null: each of them. */
export type DatagramEdit = { readonly at: number | null } & (
  | { readonly edit: 'drop' | 'repeat' | 'swap' | 'apart' | 'joined' | 'cut' | 'genuine-ahead' | 'genuine-behind' }
  | { readonly edit: 'junk'; readonly what: Junk; readonly where: 'ahead' | 'within' | 'behind' | 'alone' }
  | { readonly edit: 'refragment'; readonly size: number; readonly order: 'forwards' | 'backwards' | 'overlapping' }
  | { readonly edit: 'retry-random' | 'echo-session' }
  | { readonly edit: 'version'; readonly version: number }
  | { readonly edit: 'epoch'; readonly epoch: number }
  | { readonly edit: 'type'; readonly type: number }
  | { readonly edit: 'length'; readonly by: number }
);

export const JUNK = [
  'bad-version',
  'bad-type',
  'empty-connection-id',
  'connection-id',
  'long',
  'empty-handshake',
  'empty-alert',
  'warning',
  'change-cipher-spec',
  'hello-verify-request',
  'hello-request',
  'application-data',
  'next-epoch',
  'unified-header',
  'zeros',
  'one-octet',
  'twelve-octets',
  'stun',
] as const;
export type Junk = (typeof JUNK)[number];

const at = fc.oneof(fc.constant(null), fc.nat(6));
const junk = (where: typeof at): fc.Arbitrary<DatagramEdit> =>
  fc.record({
    at: where,
    edit: fc.constant('junk' as const),
    what: fc.constantFrom(...JUNK),
    where: fc.constantFrom('ahead', 'ahead', 'within', 'behind', 'alone' as const),
  });
const edit: fc.Arbitrary<DatagramEdit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      at,
      edit: fc.constantFrom(
        ...(['drop', 'repeat', 'swap', 'apart', 'joined', 'cut', 'genuine-ahead', 'genuine-behind'] as const),
      ),
    }),
  },
  { weight: 5, arbitrary: junk(at) },
  {
    weight: 2,
    arbitrary: fc.record({
      at,
      edit: fc.constant('refragment' as const),
      size: fc.constantFrom(1, 40, 300, 1000),
      order: fc.constantFrom('forwards', 'backwards', 'overlapping' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ at, edit: fc.constantFrom('retry-random', 'echo-session' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      at,
      edit: fc.constant('version' as const),
      version: fc.constantFrom(0xfeff, 0xfefc, 0x0303, 0x0100, 0xffff),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ at, edit: fc.constant('epoch' as const), epoch: fc.constantFrom(1, 2, 0xffff) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ at, edit: fc.constant('type' as const), type: fc.constantFrom(20, 21, 23, 25, 26, 0x2f) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ at, edit: fc.constant('length' as const), by: fc.constantFrom(-1, 1, -12, 200) }),
  },
);

export const datagramProgram: fc.Arbitrary<DatagramProgram> = fc.record({
  version: fc.constantFrom(4, 6 as const),
  pinned: fc.constantFrom('leaf', 'leaf', 'issuer' as const),
  first: fc.constantFrom('forged', 'forged', 'genuine' as const),
  switchesAt: fc.constantFrom(99, 99, 1, 2, 3),
  mtu: fc.constantFrom(1300, 300 as const),
  edits: fc.oneof(
    // What a reader of records stops at, and the client's does not.
    { weight: 5, arbitrary: fc.tuple(junk(fc.constant(null))) },
    { weight: 4, arbitrary: fc.array(edit, { minLength: 1, maxLength: 2 }) },
    { weight: 3, arbitrary: fc.array(edit, { minLength: 2, maxLength: 6, size: 'max' }) },
  ),
});
