/**
 * Carries datagrams to a DTLS server of the same host, and dresses up what it answers so that whoever reads it may pass it
 * over. Argument: JSON {port, to, disguise}. Says `listening`.
 */
import { createSocket } from 'node:dgram';

const { port, to, disguise } = JSON.parse(process.argv[2]);
const record = (type, version, octets) =>
  Buffer.concat([
    Buffer.from([type, version >> 8, version & 0xff, 0, 0, 0, 0, 0, 0, 0, 0]),
    Buffer.from([octets.length >> 8, octets.length & 0xff]),
    octets,
  ]);
const NOTHING = Buffer.alloc(0);
const JUNK = record(22, 0xfd00, NOTHING);
const isClear = (octets) => octets[0] === 22 && octets.readUInt16BE(3) === 0;

/** Each makes datagrams out of the records of one. */
const DISGUISES = {
  none: (records) => [Buffer.concat(records)],
  junk: (records) => [Buffer.concat([JUNK, ...records])],
  'connection-id': (records) => [Buffer.concat([record(25, 0xfefd, NOTHING), ...records])],
  /** ServerHello as it is; the others thirteen octets into a record of another version, in a fragment of another message. */
  hidden: (records) => {
    const isHello = (octets) => isClear(octets) && (octets[13] === 2 || octets[13] === 3);
    const others = records.filter((octets) => !isHello(octets));
    const inside = Buffer.concat([Buffer.alloc(1), ...others]);
    const fragment = Buffer.from([11, 0, 0xff, 0xff, 0, 9, 0, 0, 0, 0, inside.length >> 8, inside.length & 0xff]);
    const wrapped = others.length === 0 ? [] : [record(22, 0xfeff, Buffer.concat([fragment, inside]))];
    return [...records.filter(isHello), ...wrapped];
  },
};

function recordsOf(datagram) {
  const records = [];
  for (let at = 0; at + 13 <= datagram.length;) {
    const end = at + 13 + datagram.readUInt16BE(at + 11);
    records.push(datagram.subarray(at, end));
    at = end;
  }
  return records;
}

const front = createSocket({ type: 'udp6', ipv6Only: false });
const behind = new Map();
front.on('message', (datagram, client) => {
  const key = `${client.address} ${client.port}`;
  let back = behind.get(key);
  if (back === undefined) {
    back = createSocket('udp4');
    back.on('message', (answer) => {
      for (const each of DISGUISES[disguise](recordsOf(answer))) front.send(each, client.port, client.address);
    });
    behind.set(key, back);
  }
  back.send(datagram, to, '127.0.0.1');
});
front.bind(port, '::', () => process.stdout.write('listening\n'));
