import { expect, it } from 'vitest';

import { IP, IpView } from '../../src/packet/ip.ts';
import { packSynTraits, readSynTraits } from '../../src/packet/syn-traits.ts';
import { TcpView } from '../../src/packet/tcp.ts';

/** A SYN over IPv4 with these options, in hex. */
function traitsOf(options: string, hopLimit = 64, isBridged = false) {
  const list = Buffer.from(options, 'hex');
  const bytes = Buffer.alloc(40 + list.length);
  bytes[0] = 0x45;
  bytes.writeUInt16BE(bytes.length, 2);
  bytes[8] = hopLimit;
  bytes[9] = 6;
  bytes[32] = ((20 + list.length) / 4) << 4;
  list.copy(bytes, 40);
  const [ip, tcp] = [new IpView(), new TcpView()];
  expect([ip.parse(bytes, 0, bytes.length), tcp.parse(ip)]).toEqual([IP.ok, true]);
  return readSynTraits(packSynTraits(ip, tcp, isBridged));
}

it('a SYN of Linux, of Windows, and one that says nothing', () => {
  const linux = '020405b4' + '0402' + '080a0102030400000000' + '01' + '030307';
  expect(traitsOf(linux)).toEqual({ hopLimit: 64, maximumSegmentSize: 1460, windowScale: 7, isBridged: false });
  expect(traitsOf('020405b4010303080101' + '0402', 127)).toMatchObject({
    hopLimit: 127,
    maximumSegmentSize: 1460,
    windowScale: 8,
  });
  expect(traitsOf('', 255)).toMatchObject({ hopLimit: 255, maximumSegmentSize: 0, windowScale: undefined });
});

it('what is larger than anybody uses is the largest', () => {
  for (const isBridged of [false, true]) {
    const traits = { hopLimit: 64, maximumSegmentSize: 0x3fff, windowScale: 14, isBridged };
    expect(traitsOf('0204ffff' + '0303ff' + '01', 64, isBridged)).toEqual(traits);
  }
});

it('behind the end of the list there is nothing, and nothing was seen of what is not there', () => {
  expect(traitsOf('00' + '030307')).toMatchObject({ windowScale: undefined });
  expect(readSynTraits(0)).toBeUndefined();
});
