/**
 * A connection as those know it who keep track of it, the table, the log and operators: whose it is, and when what was
 * seen of it. Knows none of its octets.
 */
import type { PacketContext } from '../packet/context.ts';
import type { PassingFlow } from '../packet/source.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { Aged } from './age-list.ts';
import type { HalfOpen } from './half-open.ts';
import type { VerdictEvent } from '../judge/events.ts';
import type { Opening } from './opening.ts';

/** See connection.ts. */
export type Phase = 'opening' | 'inspecting' | 'accepting' | 'accepted' | 'denying' | 'denied';

export abstract class TrackedConnection extends Aged {
  readonly kind = 'connection';
  readonly id: number;
  /** FlowKey.kept. */
  readonly key: string;
  /** Value of `FlowKey.forward` for packets that the client sends. */
  readonly clientForward: boolean;
  readonly subject: FlowSubject;
  readonly frame: number;
  lastSeen: number;
  /** When the client began to speak TLS. */
  begunAt = Infinity;
  /** Hash of the configuration that decided. */
  decidedBy = '';
  /** When the decision of a watched connection fell; 0 while there is none. */
  decidedAt = 0;
  phase: Phase = 'opening';
  /** Of a capture, once it shows nothing more: its record, null where there is none to be. Then it keeps no octets. */
  told: VerdictEvent | null | undefined;
  /** A newer SYN of the same endpoints, which counts only once the server answers it. */
  successor: HalfOpen | undefined;
  readonly opening: Opening;
  /** Sides that have sent FIN, a bit each. */
  #finishedBy = 0;
  /** Any side has sent RST. */
  #isReset = false;
  #isResetByClient = false;
  #passing: Passing | undefined;

  constructor(begun: HalfOpen, subject: FlowSubject, now: number) {
    super();
    this.id = begun.id;
    this.key = begun.key;
    this.clientForward = begun.clientForward;
    this.opening = begun.opening;
    this.successor = begun.successor;
    this.frame = begun.frame;
    this.subject = subject;
    this.lastSeen = now;
  }

  /** Microseconds that its handshake may take longer than that of others. */
  abstract readonly patience: number;

  /** Nothing more comes of either side but what it has sent before, or what it sends is refused (RFC 9293 §3.5, §3.6). */
  get isClosed(): boolean {
    return this.#isReset || this.#finishedBy === BOTH;
  }

  /** The client has nothing more to say. A reset in the server's name says nothing of that. */
  get isClientSilent(): boolean {
    return this.#isResetByClient || this.#finishedBy === BOTH;
  }

  /** A packet of it came. */
  touch(now: number): void {
    this.lastSeen = now;
  }

  /** A segment of that end's own came. */
  protected note({ tcp, time }: PacketContext, fromClient: boolean): void {
    this.noteFlags(tcp.flags, time, fromClient);
  }

  /** What one of those whose record is there hears of its segments by, as long as it is kept. */
  get passing(): PassingFlow {
    return (this.#passing ??= new Passing(this));
  }

  /** It is kept no more. */
  protected endPassing(): void {
    this.#passing?.end();
  }

  noteFlags(tcpFlags: number, micros: number, fromClient: boolean): void {
    this.touch(micros);
    if ((tcpFlags & TCP_FLAG.rst) !== 0) {
      this.#isReset = true;
      this.#isResetByClient ||= fromClient;
    } else if ((tcpFlags & TCP_FLAG.fin) !== 0) {
      this.#finishedBy |= fromClient ? BY_CLIENT : BY_SERVER;
    }
  }
}

/** Whoever delivers packets may hold it for longer than there is anything behind it. */
class Passing implements PassingFlow {
  #connection: TrackedConnection | undefined;

  constructor(connection: TrackedConnection) {
    this.#connection = connection;
  }

  passes(tcpFlags: number, micros: number, isForward: boolean): boolean {
    const connection = this.#connection;
    connection?.noteFlags(tcpFlags, micros, isForward === connection.clientForward);
    return connection !== undefined;
  }

  end(): void {
    this.#connection = undefined;
  }
}

const BY_CLIENT = 1;
const BY_SERVER = 2;
const BOTH = BY_CLIENT | BY_SERVER;
