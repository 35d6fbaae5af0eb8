/** Counts how often values are looked at, to show that a cost does not grow where a clock would only suggest it. */

export interface Looks {
  count: number;
}

/** The same value; each property that is read of it adds one. */
export function counting<T extends object>(value: T, looks: Looks): T {
  return new Proxy(value, {
    get(target, key) {
      looks.count++;
      return Reflect.get(target, key);
    },
  });
}
