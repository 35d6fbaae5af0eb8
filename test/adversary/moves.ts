/**
 * The adversary's programs: how the bank is pinned, and connection after connection what the client offers, who answers,
 * what is done to his records and segments, what happens meanwhile at the gateway. Plain data, all of it, so that fast-check
 * makes, shrinks and keeps them.
 */
import type { Situations } from '../../src/pins/policy.ts';
import type { Edit } from './editor.ts';
import type { Insertion, Nonce, Random } from './forger/tls12.ts';
import type { Hand13Script } from './forger/tls13.ts';
import type { Protocol } from './forger/dialogues.ts';
import type { Manner } from './forger/preamble.ts';
import type { KeyKind, Whose } from './identities.ts';

export interface Program {
  readonly setting: Setting;
  readonly connections: readonly Encounter[];
}

export interface Setting {
  readonly pinned: 'leaf' | 'issuer';
  readonly tls13: Situations['tls13'];
  readonly resumed: 'bound' | 'bound-else-probe' | 'deny';
  readonly noSni: 'accept' | 'deny';
  readonly action: 'tls-alert' | 'reset' | 'drop';
  /** By whom: the host's pinset, or the address's with a lenient one of the host's beside it that is report-only. */
  readonly enforcedBy: 'host' | 'address';
  /** Which copy the client's TCP keeps. */
  readonly prefers: 'first' | 'last';
  /** Whether `ports` names all of them, the client's own too. */
  readonly widePorts: boolean;
}

export interface Encounter {
  readonly client: ClientMove;
  readonly server: ServerMove;
  readonly opening: Opening;
  readonly preamble: null | { readonly protocol: Protocol; readonly manner: Manner };
  readonly edits: readonly Edit[];
  /** Of the server's segments, over and over. */
  readonly sizes: readonly number[];
  readonly clientSizes: readonly number[];
  readonly path: readonly PathMove[];
  readonly happenings: readonly Happening[];
  /** `after`: packets and moments between question and answer. */
  readonly prober: { readonly answer: 'genuine' | 'forged' | 'failed' | 'never'; readonly after: number };
  readonly secret: { readonly which: 'right' | 'wrong' | 'none'; readonly after: number };
  readonly examiner: { readonly after: number };
}

/**
 * `crossing`: the server sends a SYN of its own behind the client's, ahead of it, or when it may be forgotten;
 * `two-numbers`: a SYN/ACK with another number, which the client never gets, ahead of the one that it gets;
 * `multipath`: both ends offer RFC 8684;
 * `fast-open`: the client's first octets come with its SYN (RFC 7413), and the server takes them; `refused`: it does not;
 * `answered`: what it says to them comes with its SYN/ACK; `ahead`: what it says unasked does.
 */
export type Opening =
  | 'plain'
  | 'crossing'
  | 'crossing-first'
  | 'crossing-forgotten'
  | 'two-numbers'
  | 'multipath'
  | 'fast-open'
  | 'fast-open-refused'
  | 'fast-open-answered'
  | 'fast-open-ahead';

export interface ClientMove {
  readonly version: 'TLSv1.2' | 'TLSv1.3' | 'any';
  /** `own`: what it was given last in this program; the forger's are from a time without the engine. */
  readonly offers: 'nothing' | 'own' | 'forger-ticket' | 'forger-id' | 'forger-psk';
  readonly sni: boolean;
  /** `rsa`: key transport too, first of all. */
  readonly suites: 'usual' | 'rsa';
}

export type ServerMove =
  | {
      readonly server: 'real';
      readonly whose: Whose;
      readonly kind: KeyKind;
      readonly version: 'TLSv1.2' | 'TLSv1.3' | 'any';
      readonly tickets: boolean;
    }
  | {
      readonly server: 'hand12';
      readonly kind: KeyKind;
      readonly chain: Chain;
      readonly random: Random;
      readonly exchange: 'ecdhe' | 'rsa';
      readonly signer: Whose;
      readonly sessionId: 'none' | 'fresh' | 'echo';
      readonly ticket: boolean;
      /** Takes up the session that it shares with the client, where the client offers one. */
      readonly resumes: boolean;
      readonly nonce: Nonce;
      readonly isEarly: boolean;
      readonly inserted: readonly Insertion[];
    }
  | ({ readonly server: 'hand13'; readonly kind: KeyKind; readonly chain: Chain } & Omit<Hand13Script, 'key' | 'chain'>)
  /** Two at once: what the engine is shown of the genuine one dies behind it, or goes on up to a unit. */
  | {
      readonly server: 'two';
      readonly kind: KeyKind;
      readonly version: 'TLSv1.2' | 'TLSv1.3';
      readonly how: 'ghost' | 'switch';
      readonly units: number;
    };

/** Certificates that are shown. */
export type Chain = 'forged' | 'forged-genuine' | 'genuine-forged' | 'genuine' | 'many' | 'leaf';

/** What happens to the segment of a number, of one side's. */
export interface PathMove {
  readonly side: 'client' | 'server';
  readonly at: number;
  readonly what: PathTrick;
}

export type PathTrick =
  | 'lost'
  | 'lost-behind'
  | 'twice'
  | 'later'
  | 'much-later'
  | 'conflict-before'
  | 'conflict-after'
  | 'gso'
  | 'fin'
  | 'reset-before'
  | 'overlap';

export interface Happening {
  /** Packets and moments since the connection began. */
  readonly at: number;
  readonly what: 'reload' | 'change' | 'restart' | 'wait-31' | 'wait-250' | 'wait-3100' | 'wait-11000' | 'list';
}
