/** Lists of a configuration as its shape leaves them: with null where an element was wrong. */

/** The elements of a list that may have lost some, each with its position in the file. */
export function* elements<T>(list: readonly T[] | undefined): Generator<[number, T]> {
  for (const [index, element] of (list ?? []).entries()) if (element !== null) yield [index, element];
}
