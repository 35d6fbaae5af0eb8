/** Numbers that stand for nothing, in cipher suites, groups, extensions and versions alike: 0x0a0a, 0x1a1a … 0xfafa (RFC 8701 §2). */
export function isGrease(number: number): boolean {
  return (number & 0x0f0f) === 0x0a0a && number >>> 8 === (number & 0xff);
}
