/** Sequence numbers (RFC 9293 §3.4): 32-bit serial arithmetic, right across the wrap. */

/** `a - b` in sequence space: negative when `a` comes before `b`. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqAdd(a: number, n: number): number {
  return (a + n) >>> 0;
}
