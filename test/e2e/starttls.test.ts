/** A mail server in the path, segment by segment: what it says ahead of its client does not reach the client. */
import { describe, expect, it } from 'vitest';

import { NAME } from '../support/lab/bank.ts';
import { bank, forged, genuine, wire } from '../support/lab/bank-wire.ts';
import { TcpClient } from '../support/lab/peers.ts';
import { pause } from '../support/lab/wire.ts';
import { clientHello, der } from '../support/tls-bytes.ts';

const GREETING = '220 mail ESMTP\r\n';
const OFFER = '250-mail\r\n250 STARTTLS\r\n';
const READY = '220 ready\r\n';
const ANSWERS = Buffer.from(GREETING + OFFER + READY);
const hello = clientHello(NAME);

async function connect(version: 4 | 6): Promise<TcpClient> {
  const client = new TcpClient(wire.lab, 'client', { host: wire.lab.address('server', version), wait: 1_500 });
  await client.connected();
  await wire.server.until((heard) => heard.some(({ flags }) => flags === 'A'), 'the handshake was over');
  return client;
}

/** The client says its part, a message at a time; the server says `ahead` each time, as one that waits for an ACK. */
async function talk(client: TcpClient, ahead: Buffer, size = 1_400): Promise<void> {
  let said = 0;
  for (const words of ['EHLO me\r\n', 'STARTTLS\r\n']) {
    wire.server.sendStream(ahead, size);
    await pause(150);
    client.send(Buffer.from(words));
    await wire.server.received((said += words.length));
  }
  wire.server.sendStream(ahead, size);
  await pause(150);
  client.send(hello);
  await pause(150);
  wire.server.sendStream(ahead, size);
}

describe.each([4, 6] as const)('over IPv%d', (version) => {
  it.each([1_400, 100])('answers and a forged flight, all ahead of the client: %d octets a segment', async (size) => {
    const client = await connect(version);
    const ahead = Buffer.concat([ANSWERS, forged]);
    await talk(client, ahead, size);
    const { received } = await client.outcome();
    expect(received.subarray(0, ANSWERS.length)).toEqual(ANSWERS);
    expect(received.includes(der(bank.forged.cert))).toBe(false);
    expect(await wire.verdict()).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });

  it('the same flight, in its turn: denied', async () => {
    const client = await connect(version);
    await talk(client, ANSWERS);
    wire.server.sendStream(forged, 1_400, ANSWERS.length);
    expect((await client.outcome()).received.includes(der(bank.forged.cert))).toBe(false);
    expect(await wire.verdict()).toMatchObject({ action: 'tls-alert', reason: 'pin-mismatch' });
  });

  it('a genuine one passes', async () => {
    const client = await connect(version);
    await talk(client, ANSWERS);
    wire.server.sendStream(genuine, 1_400, ANSWERS.length);
    expect((await client.outcome()).received).toEqual(Buffer.concat([ANSWERS, genuine]));
    expect(await wire.verdict()).toMatchObject({ action: 'accept', reason: 'pin-match' });
  });
});
