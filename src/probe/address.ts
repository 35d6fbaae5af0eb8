/** Addresses as octets: how they are written, and which of them are never probed. */

/** As an operating system reads it; 4 or 16 octets. */
export function addressText(address: Uint8Array): string {
  if (isIpv4(address)) return address.join('.');
  const groups: string[] = [];
  for (let i = 0; i < address.length; i += 2) groups.push(((address[i]! << 8) | address[i + 1]!).toString(16));
  return groups.join(':');
}

export function isIpv4(address: Uint8Array): boolean {
  return address.length === 4;
}

/**
 * True for addresses that mean this host, this link or many hosts (RFC 6890, RFC 4291): no client's packet that was
 * forwarded to one can be asked about from here.
 */
export function isLocal(address: Uint8Array): boolean {
  if (isIpv4(address)) return isLocalIpv4(address);
  if (address.length !== 16) return true;
  const isMapped =
    address.subarray(0, 10).every((octet) => octet === 0) && address[10] === 0xff && address[11] === 0xff;
  if (isMapped) return isLocalIpv4(address.subarray(12));
  const isLowest = address.subarray(0, 15).every((octet) => octet === 0) && address[15]! <= 1; // :: and ::1
  const isLinkLocal = address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
  return isLowest || isLinkLocal || address[0] === 0xff;
}

function isLocalIpv4(address: Uint8Array): boolean {
  const [first, second] = [address[0]!, address[1]!];
  return first === 0 || first === 127 || (first === 169 && second === 254) || first >= 224;
}
