/**
 * Makes connections, each with the judge and the inspection that are its own, and what they share: the snapshot in
 * force, the sessions that were bound under it, the engine's clock. Owns no table.
 */
import { copyOf } from '../bytes/copy.ts';
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/snapshot.ts';
import type { FlowKey } from '../tcp/flow-key.ts';
import { Connection, type ConnectionHost, type Inspected } from './connection.ts';
import type { FlowNumbers } from './flow-numbers.ts';
import { HalfOpen } from './half-open.ts';
import { Inspection } from './inspection.ts';
import { Judge } from './judge.ts';
import type { PacketContext } from './packet-context.ts';
import type { EngineOptions } from './ports.ts';
import { SecretBoard } from './secret-board.ts';
import { SessionMemory } from './sessions.ts';

export interface FactoryParts {
  readonly options: EngineOptions;
  readonly host: ConnectionHost;
  readonly snapshot: () => PinsetSnapshot;
  /** Microseconds since the epoch. */
  readonly now: () => number;
  readonly count: (limit: LimitName) => void;
  readonly numbers: FlowNumbers;
}

export class ConnectionFactory {
  readonly #parts: FactoryParts;
  readonly #sessions = new SessionMemory(SESSIONS);
  readonly #secrets: SecretBoard | undefined;

  constructor(parts: FactoryParts) {
    this.#parts = parts;
    const { keylog } = parts.options;
    this.#secrets = keylog && new SecretBoard(keylog);
  }

  /** `key` is that of `p`. */
  halfOpen(p: PacketContext, key: FlowKey, fromClient = true): HalfOpen {
    return new HalfOpen({
      id: this.#parts.numbers.next(),
      key: key.kept,
      clientForward: key.forward === fromClient,
      frame: p.frame,
      time: p.time,
    });
  }

  /** `p` is the first packet of the connection with more to it than an acknowledgment. */
  connection(begun: HalfOpen, p: PacketContext, fromClient: boolean): Connection {
    return new Connection(this.#parts.host, begun, subjectOf(p, fromClient), p.time);
  }

  /** The judge and the inspection of a connection, once it is open. */
  inspect(connection: Connection): Inspected {
    const { host, options, now } = this.#parts;
    const judge = this.judge(connection.subject, () => {
      connection.onSettled(now());
      options.verdicts.flush();
    });
    return { judge, inspection: new Inspection(judge, { limits: host.limits, clientFirst: options.live }) };
  }

  /** `settled` is called when an answer from outside comes after it was asked for. */
  judge(subject: FlowSubject, settled: () => void = () => undefined): Judge {
    const { options, snapshot, now, count } = this.#parts;
    const { examiner, prober, proves, events, live } = options;
    return new Judge({
      get snapshot() {
        return snapshot();
      },
      subject,
      sessions: this.#sessions,
      examiner,
      prober,
      secrets: this.#secrets,
      live,
      proves,
      now,
      settled,
      count,
      watch: options.watch
        ? (message) => events.emit({ kind: 'handshake', time: now(), ...subject, ...message })
        : undefined,
      anomaly: (code, detail) => events.emit({ kind: 'anomaly', time: now(), flowId: 0, ...subject, code, detail }),
    });
  }

  /** Sessions stand for pinsets of one configuration. */
  forgetSessions(): void {
    this.#sessions.clear();
  }
}

/** Both ends of a packet's flow, copied. */
export function subjectOf(p: PacketContext, fromClient: boolean): FlowSubject {
  const { bytes, addresses, addressLength } = p.ip;
  const source = copyOf(bytes, addresses, addresses + addressLength);
  const destination = copyOf(bytes, addresses + addressLength, addresses + 2 * addressLength);
  const sender = { address: source, port: p.tcp.srcPort };
  const receiver = { address: destination, port: p.tcp.dstPort };
  return fromClient ? { client: sender, server: receiver } : { client: receiver, server: sender };
}

/** Sessions that are remembered for resumption. */
const SESSIONS = 10_000;
