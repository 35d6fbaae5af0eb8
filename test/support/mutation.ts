/** Octets that are almost right: some changed, left out, repeated or put in between. */
import fc from 'fast-check';

type Change =
  | { readonly kind: 'set'; readonly at: number; readonly octet: number }
  | { readonly kind: 'add'; readonly at: number; readonly delta: number }
  | { readonly kind: 'remove'; readonly at: number; readonly length: number }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly octets: Uint8Array };

export function mutated(octets: Uint8Array): fc.Arbitrary<Buffer> {
  const at = fc.oneof(fc.nat(octets.length), fc.nat(Math.min(80, octets.length)));
  const length = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.nat(octets.length));
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ kind: fc.constant('set'), at, octet: fc.constantFrom(0, 1, 2, 3, 11, 12, 14, 20, 21, 22, 0x7f, 0xff) }),
    fc.record({ kind: fc.constant('add'), at, delta: fc.constantFrom(1, -1, 0x80) }),
    fc.record({ kind: fc.constant('remove'), at, length }),
    fc.record({ kind: fc.constant('repeat'), at, length }),
    fc.record({ kind: fc.constant('insert'), at, octets: fc.uint8Array({ minLength: 1, maxLength: 8 }) }),
  );
  return fc
    .oneof(
      { weight: 2, arbitrary: fc.constant<Change[]>([]) },
      { weight: 5, arbitrary: fc.array(change, { maxLength: 4 }) },
    )
    .map((changes) => changes.reduce(apply, Buffer.from(octets)));
}

function apply(octets: Buffer, change: Change): Buffer {
  const at = Math.min(change.at, octets.length);
  const [before, after] = [octets.subarray(0, at), octets.subarray(at)];
  switch (change.kind) {
    case 'set':
      return Buffer.concat([before, Buffer.from([change.octet]), after.subarray(1)]);
    case 'add':
      return Buffer.concat([before, Buffer.from([((after[0] ?? 0) + change.delta) & 0xff]), after.subarray(1)]);
    case 'remove':
      return Buffer.concat([before, after.subarray(change.length)]);
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, change.length), after]);
    case 'insert':
      return Buffer.concat([before, change.octets, after]);
    default:
      return change satisfies never;
  }
}
