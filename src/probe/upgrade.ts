/**
 * What a probe says ahead of TLS where its client did so too: the shortest dialogue that leads to TLS, protocol by
 * protocol, in words of its own. A proxy is asked for what its client asked it for, where that did not have to say who
 * it is.
 */
import type { ProbeTunnel } from '../judge/ports.ts';
import type { Conversation } from './connection.ts';

/** One turn: what is said, and, unless TLS may follow at once, what is then heard. */
export interface Turn {
  readonly say: string | Uint8Array;
  readonly hear?: Hearing;
}

/** An answer is heard part by part, so that whatever pieces it comes in, each octet is looked at once. */
interface Hearing {
  /** Where the part ends that `heard` begins with; 0 while it is not whole. Up to `from` it was looked for before. */
  readonly endOfPart: (heard: Buffer, from: number) => number;
  readonly judge: (part: Buffer) => 'good' | 'bad' | 'passed over';
}

export interface UpgradeContext {
  /** The name that the client asks for in TLS. */
  readonly serverName: string | null;
  readonly port: number;
  readonly tunnels: readonly ProbeTunnel[];
}

/** Undefined for a protocol, or a stack of them, that no probe speaks. `protocol`: tunnels ahead of it, each with a `+`. */
export function dialogueOf(protocol: string, context: UpgradeContext): readonly Turn[] | undefined {
  const { tunnels } = context;
  const [inner, ...more] = protocol.split('+').slice(tunnels.length);
  const ways = tunnels.map(wayThrough);
  ways.push(inner === undefined ? [] : DIALOGUES.get(inner)?.(context));
  return more.length > 0 || ways.includes(undefined) ? undefined : ways.flatMap((turns) => turns!);
}

function wayThrough({ protocol, request }: ProbeTunnel): readonly Turn[] | undefined {
  if (request === null) return undefined;
  switch (protocol) {
    case 'http-connect':
      return [{ say: request, hear: { endOfPart: endOfHeader, judge: judgeStatus } }];
    case 'socks4':
      return [{ say: request, hear: message(endOf(8), (heard) => heard[1] === 0x5a) }];
    case 'socks5':
      return [
        { say: Buffer.from('050100', 'hex'), hear: message(endOf(2), (heard) => heard[0] === 5 && heard[1] === 0) },
        { say: request, hear: message(endOfSocksReply, (heard) => heard[0] === 5 && heard[1] === 0) },
      ];
    default:
      return protocol satisfies never;
  }
}

export interface UpgradeRefused {
  readonly kind: 'failed';
  readonly reason: 'protocol';
  readonly detail: string;
}

/** A conversation that begins with a dialogue. */
export class Upgrade<Outcome> implements Conversation<Outcome | UpgradeRefused> {
  readonly #turns: readonly Turn[];
  readonly #inner: Conversation<Outcome>;
  #turn = 0;
  #heard: Buffer = EMPTY;
  /** Of `#heard`: octets in which no part ends. */
  #searched = 0;
  /** Octets of this turn. */
  #count = 0;
  #refused: UpgradeRefused | undefined;

  constructor(turns: readonly Turn[], inner: Conversation<Outcome>) {
    this.#turns = turns;
    this.#inner = inner;
  }

  get outcome(): Outcome | UpgradeRefused | undefined {
    return this.#refused ?? this.#inner.outcome;
  }

  start(): Uint8Array {
    return Buffer.concat(this.#speak());
  }

  feed(bytes: Uint8Array): Uint8Array {
    if (this.#turn === this.#turns.length) return this.#inner.feed(bytes);
    this.#heard = Buffer.concat([this.#heard, bytes]);
    this.#count += bytes.length;
    const said: Uint8Array[] = [];
    while (this.#turn < this.#turns.length) {
      const { endOfPart, judge } = this.#turns[this.#turn]!.hear!;
      const end = endOfPart(this.#heard, this.#searched);
      if (end === 0) {
        this.#searched = this.#heard.length;
        if (this.#count > MAX_HEARD) return this.#refuse();
        break;
      }
      const judgement = judge(this.#heard.subarray(0, end));
      this.#heard = this.#heard.subarray(end);
      this.#searched = 0;
      if (judgement === 'bad') return this.#refuse();
      if (judgement === 'passed over') continue;
      this.#turn++;
      this.#count = this.#heard.length;
      said.push(...this.#speak());
    }
    // Whatever came behind the agreement is TLS's.
    const isOver = this.#turn === this.#turns.length && this.#heard.length > 0;
    if (isOver) said.push(this.#inner.feed(this.#heard));
    return Buffer.concat(said);
  }

  part(bytes: Uint8Array): readonly Uint8Array[] | undefined {
    return this.#turn === this.#turns.length && this.#inner.part !== undefined ? this.#inner.part(bytes) : [];
  }

  #speak(): Uint8Array[] {
    const said: Uint8Array[] = [];
    for (; this.#turn < this.#turns.length; this.#turn++) {
      const { say, hear } = this.#turns[this.#turn]!;
      said.push(typeof say === 'string' ? Buffer.from(say, 'latin1') : say);
      if (hear !== undefined) return said;
    }
    said.push(this.#inner.start());
    return said;
  }

  #refuse(): Uint8Array {
    this.#refused = { kind: 'failed', reason: 'protocol', detail: `starttls.turn-${this.#turn + 1}` };
    return new Uint8Array(0);
  }
}

/** The first line that one of the two knows decides; others are passed over. */
function line(good: RegExp, bad: RegExp): Hearing {
  return {
    endOfPart: (heard, from) => heard.indexOf(LF, from) + 1,
    judge: (part) => judgeText(part.toString('latin1', 0, part.length - 1), good, bad),
  };
}

/** The same of tags. */
function tag(good: RegExp, bad: RegExp): Hearing {
  return {
    endOfPart: (heard, from) => heard.indexOf('>', from) + 1,
    judge: (part) => judgeText(part.toString('latin1', Math.max(0, part.lastIndexOf('<'))), good, bad),
  };
}

function judgeText(text: string, good: RegExp, bad: RegExp): ReturnType<Hearing['judge']> {
  if (good.test(text)) return 'good';
  return bad.test(text) ? 'bad' : 'passed over';
}

/** One message, which has to be this. */
function message(endOfPart: Hearing['endOfPart'], isGood: (part: Buffer) => boolean): Hearing {
  return { endOfPart, judge: (part) => (isGood(part) ? 'good' : 'bad') };
}

/** RFC 5321 §4.2, RFC 959 §4.2: a reply ends with the line that has a blank behind its code. */
function reply(code: string): Hearing {
  return line(new RegExp(`^${code}( |\\r?$)`), /^\d{3}( |\r?$)/);
}

/** RFC 4511 §4.12: an ExtendedResponse whose resultCode is success. */
function isLdapSuccess(heard: Buffer): boolean {
  const id = berElement(heard, berElement(heard, 0)!.content);
  const operation = id && berElement(heard, id.end);
  const code = operation && berElement(heard, operation.content);
  return operation?.tag === 0x78 && code?.tag === 0x0a && heard[code.content] === 0;
}

/** Undefined where it is not whole. Lengths of up to two octets: the answer is short. */
function berElement(bytes: Buffer, at: number): { tag: number; content: number; end: number } | undefined {
  const first = bytes[at + 1];
  if (first === undefined) return undefined;
  const lengthOctets = first > 0x80 ? first & 0x7f : 0;
  const content = at + 2 + lengthOctets;
  if (lengthOctets > 2 || content > bytes.length) return undefined;
  const length = lengthOctets === 0 ? first : bytes.readUIntBE(at + 2, lengthOctets);
  return content + length > bytes.length ? undefined : { tag: bytes[at]!, content, end: content + length };
}

/** RFC 9110 §9.3.6: 2xx opens the tunnel; an interim answer announces another one. */
function judgeStatus(header: Buffer): ReturnType<Hearing['judge']> {
  return judgeText(header.toString('latin1', 0, 16), /^HTTP\/1\.[01] 2/, /^(?!HTTP\/1\.[01] 1)/);
}

function endOfHeader(heard: Buffer, from: number): number {
  const start = Math.max(0, from - 2);
  const [withCr, withoutCr] = [heard.indexOf('\n\r\n', start), heard.indexOf('\n\n', start)];
  if (withoutCr >= 0 && (withCr < 0 || withoutCr < withCr)) return withoutCr + 2;
  return withCr < 0 ? 0 : withCr + 3;
}

function endOf(octets: number): Hearing['endOfPart'] {
  return (heard) => (heard.length < octets ? 0 : octets);
}

/** RFC 1928 §6. */
function endOfSocksReply(heard: Buffer): number {
  if (heard.length < 5) return 0;
  const end = heard[3] === 1 ? 10 : heard[3] === 4 ? 22 : heard[3] === 3 ? 7 + heard[4]! : 5;
  return heard.length < end ? 0 : end;
}

/** Its length in three octets, little endian, and its number. */
function endOfMysqlPacket(heard: Buffer): number {
  const end = heard.length < 5 ? Infinity : 4 + heard.readUIntLE(0, 3);
  return heard.length < end ? 0 : end;
}

function endOfTpkt(heard: Buffer): number {
  const end = heard.length < 4 ? Infinity : heard.readUInt16BE(2);
  return heard.length < end ? 0 : Math.max(end, 4);
}

/** MS-RDPBCGR §2.2.1.2: a connection confirm with a negotiation response. */
function isRdpConfirm(heard: Buffer): boolean {
  return heard.length >= 19 && heard[5] === 0xd0 && heard[11] === 2 && heard[15] !== 0;
}

/** RFC 6120 §5.4. */
function xmpp({ serverName, port }: UpgradeContext): Turn[] | undefined {
  if (serverName === null || !/^[\w.-]+$/.test(serverName)) return undefined;
  const namespace = port === XMPP_SERVER_PORT ? 'jabber:server' : 'jabber:client';
  const stream = `<stream:stream to='${serverName}' xmlns='${namespace}' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>`;
  const failure = /^<\/(\w+:)?stream\s*>|^<(\w+:)?failure\b/;
  return [
    { say: `<?xml version='1.0'?>${stream}`, hear: tag(/^<\/(\w+:)?features\s*>/, failure) },
    { say: `<starttls xmlns='${XMPP_TLS}'/>`, hear: tag(/^<proceed\b.*\/>|^<\/proceed\s*>/s, failure) },
  ];
}

const SMTP: readonly Turn[] = [
  { say: '', hear: reply('220') },
  { say: 'EHLO localhost\r\n', hear: reply('250') },
  { say: 'STARTTLS\r\n', hear: reply('220') },
];
const IMAP: readonly Turn[] = [
  { say: '', hear: line(/^\* OK/i, /^/) },
  { say: 'a STARTTLS\r\n', hear: line(/^a OK/i, /^a /i) },
];
const POP3: readonly Turn[] = [
  { say: '', hear: line(/^\+OK/, /^/) },
  { say: 'STLS\r\n', hear: line(/^\+OK/, /^/) },
];
const FTP: readonly Turn[] = [
  { say: '', hear: reply('220') },
  { say: 'AUTH TLS\r\n', hear: reply('234') },
];
const IRC: readonly Turn[] = [{ say: 'STARTTLS\r\n', hear: line(/^(:\S+ +)?670 /, /^(:\S+ +)?(691|421|451) |^ERROR/) }];
const SIEVE: readonly Turn[] = [
  { say: '', hear: line(/^OK\b/i, /^(NO|BYE)\b/i) },
  { say: 'STARTTLS\r\n', hear: line(/^OK\b/i, /^(NO|BYE)\b/i) },
];
const NNTP: readonly Turn[] = [
  { say: '', hear: line(/^20[01]\b/, /^/) },
  { say: 'STARTTLS\r\n', hear: line(/^382\b/, /^/) },
];
/** RFC 4511 §4.14.1: ExtendedRequest 1.3.6.1.4.1.1466.20037 */
const LDAP: readonly Turn[] = [
  {
    say: Buffer.from('301d02010177188016312e332e362e312e342e312e313436362e3230303337', 'hex'),
    hear: message((heard) => berElement(heard, 0)?.end ?? 0, isLdapSuccess),
  },
];
const POSTGRES: readonly Turn[] = [
  {
    say: Buffer.from('0000000804d2162f', 'hex'),
    hear: message(
      () => 1,
      (heard) => heard[0] === 0x53,
    ),
  },
];
/** Long passwords, protocol 4.1, TLS, secure connection, authentication plugins; packets of 16 MiB; utf8mb4. */
const MYSQL: readonly Turn[] = [
  { say: '', hear: message(endOfMysqlPacket, (heard) => heard[4] !== 0xff) },
  { say: Buffer.from(`20000001018a0800000000012d${'00'.repeat(23)}`, 'hex') },
];
/** TLS, or TLS with CredSSP behind it. */
const RDP: readonly Turn[] = [
  { say: Buffer.from('030000130ee000000000000100080003000000', 'hex'), hear: message(endOfTpkt, isRdpConfirm) },
];

/** By the names that preambles go by. */
const DIALOGUES = new Map<string, (context: UpgradeContext) => readonly Turn[] | undefined>([
  ['smtp', () => SMTP],
  ['imap', () => IMAP],
  ['pop3', () => POP3],
  ['ftp', () => FTP],
  ['irc', () => IRC],
  ['sieve', () => SIEVE],
  ['nntp', () => NNTP],
  ['ldap', () => LDAP],
  ['postgres', () => POSTGRES],
  ['mysql', () => MYSQL],
  ['rdp', () => RDP],
  ['xmpp', xmpp],
]);

const XMPP_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const XMPP_SERVER_PORT = 5269;
/** More than any of these answers has. */
const MAX_HEARD = 4_096;
const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
