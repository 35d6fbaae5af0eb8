/**
 * The gateway that the adversary attacks: the whole engine, with the marks that the kernel keeps beside it, and everybody
 * whom it asks (prober, key log, examiner) replaced by one who answers when told. Sees to it that each packet has one
 * verdict, that nothing is held beyond the limits and that work follows what came.
 */
import { Engine } from '../../src/engine/engine.ts';
import type { FlowEvent, VerdictEvent } from '../../src/judge/events.ts';
import type { ExamineRequest, ProbeAnswer, ProbeRequest } from '../../src/judge/ports.ts';
import { FIELD, FLAG, NF_ACCEPT, type PacketBatch } from '../../src/packet/batch.ts';
import type { VerdictOptions } from '../../src/packet/source.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { KeyLogStore } from '../../src/source/key-log-store.ts';
import { type ChainFacts, examineChain } from '../../src/x509/examine.ts';
import { verifyServerKeyExchange } from '../../src/x509/proof.ts';
import { copiedOctets } from '../support/fuzz.ts';

export interface Question<Request, Answer> {
  readonly request: Request;
  readonly answer: (answer: Answer) => void;
}

interface Sent {
  readonly port: number;
  readonly packet: Uint8Array;
  readonly arrive: ((packet: Uint8Array) => void) | undefined;
}

export interface PacketExtras {
  readonly gso?: boolean;
}

export class Gateway {
  readonly verdicts: VerdictEvent[] = [];
  readonly probes: Question<ProbeRequest, ProbeAnswer>[] = [];
  readonly examinations: Question<ExamineRequest, ChainFacts>[] = [];
  /** The clock that the engine has, in microseconds; it begins now, when the certificates hold. */
  now = Date.now() * 1000;
  #policy: Policy;
  #engine: Engine;
  #keylog!: KeyLogStore;
  #generation = 0;
  #nextId = 1;
  /** Packets whose verdict is still to come. */
  readonly #waiting = new Map<number, Sent>();
  readonly #marks = new Map<number, number>();
  #octets = 0;
  #copied = 0;

  constructor(policy: Policy) {
    this.#policy = policy;
    this.#engine = this.#begin();
  }

  get policy(): Policy {
    return this.#policy;
  }

  /** What a client logged; nobody hears of it where the policy reads no key log. */
  logSecret(clientRandom: Uint8Array, secret: Uint8Array): void {
    this.#keylog.add({ clientRandom, secret });
  }

  reload(policy: Policy): void {
    this.#policy = policy;
    this.#engine.replacePolicy(policy);
  }

  /** The process dies and another begins: what was held is dropped, marks stay. */
  restart(): void {
    this.#waiting.clear();
    this.probes.length = 0;
    this.examinations.length = 0;
    this.#engine = this.#begin();
  }

  wait(milliseconds: number): void {
    this.now += milliseconds * 1000;
    this.#work(() => this.#engine.tick());
  }

  /** `port`: the client's, by which its connection is known; `arrive` is left out where the packet dies on its way. */
  send(
    port: number,
    fromClient: boolean,
    packet: Uint8Array,
    isSyn: boolean,
    arrive?: (packet: Uint8Array) => void,
    { gso = false }: PacketExtras = {},
  ): void {
    const { mask, accept, deny } = this.#policy.connmark;
    const mark = this.#marks.get(port) ?? 0;
    // As the chain has it: what is decided does not come to the queue, but for what may begin a connection.
    if (!isSyn && (mark & mask) === deny) return;
    if (!isSyn && (mark & mask) === accept) return arrive?.(packet);
    const id = this.#nextId++;
    this.#waiting.set(id, { port, packet, arrive });
    const words = new Uint32Array(FIELD.ROW);
    words[FIELD.packetId] = id;
    words[FIELD.length] = packet.length;
    words[FIELD.connmark] = mark;
    words[FIELD.inIfindex] = fromClient ? 2 : 3;
    words[FIELD.outIfindex] = fromClient ? 3 : 2;
    words[FIELD.flags] = FLAG.hasConnmark | (gso ? FLAG.gso : 0);
    words[FIELD.timeSeconds] = Math.floor(this.now / 1e6);
    words[FIELD.timeMicros] = this.now % 1e6;
    const batch: PacketBatch = { slab: Buffer.from(packet), words, count: 1 };
    this.#octets += packet.length;
    this.#work(() => this.#engine.onBatch(batch));
    // The slab is the source's again: whoever kept a view of it sees this.
    batch.slab.fill(0xee);
  }

  /** Ends the engine in good order: every packet has had its verdict then. */
  finish(): void {
    this.#engine.finish();
    if (this.#engine.heldPackets !== 0) throw new Broken(`${this.#engine.heldPackets} packets are counted as held`);
    if (this.#waiting.size > 0) throw new Broken(`${this.#waiting.size} packets never had a verdict`);
    const { received, accepted, dropped } = this.#engine.counters;
    if (received !== accepted + dropped) throw new Broken(`${received} packets, ${accepted + dropped} verdicts`);
    if (this.#copied > COPIES_AN_OCTET * this.#octets + COPIES_A_RUN) {
      throw new Broken(`${this.#copied} octets were copied of the ${this.#octets} that came`);
    }
  }

  #work(work: () => void): void {
    this.#copied += copiedOctets(work);
    const { heldPackets } = this.#engine;
    if (heldPackets > this.#policy.limits.heldPacketsQueue) throw new Broken(`${heldPackets} packets are held`);
    if (heldPackets !== this.#waiting.size) throw new Broken(`${heldPackets} held, ${this.#waiting.size} unanswered`);
  }

  #begin(): Engine {
    const generation = ++this.#generation;
    const isCurrent = () => generation === this.#generation;
    const keylog = new KeyLogStore({ now: () => this.now / 1000 });
    this.#keylog = keylog;
    return new Engine({
      policy: this.#policy,
      verdicts: {
        verdict: (id, verdict, options) => {
          if (isCurrent()) this.#answer(id, verdict, options);
        },
        flush: () => undefined,
      },
      events: {
        emit: (event: FlowEvent) => {
          if (event.kind === 'verdict') this.verdicts.push(event);
        },
      },
      clock: { now: () => this.now, wallTime: () => this.now },
      examiner: { examine: (request, answer) => void this.examinations.push({ request, answer }) },
      prober: {
        probe: (request, answer, connected) => {
          this.probes.push({ request, answer });
          connected?.();
        },
      },
      keylog: this.#policy.keylog.file === null ? undefined : keylog,
      proves: verifyServerKeyExchange,
      live: true,
    });
  }

  #answer(id: number, verdict: number, options: VerdictOptions | undefined): void {
    const sent = this.#waiting.get(id);
    if (sent === undefined) throw new Broken(`packet ${id} has more than one verdict`);
    this.#waiting.delete(id);
    const { connmark, payload } = options ?? {};
    if (connmark !== undefined) {
      const known = this.#marks.get(sent.port) ?? 0;
      this.#marks.set(sent.port, ((known & ~connmark.mask) | connmark.value) >>> 0);
    }
    if (verdict === NF_ACCEPT) sent.arrive?.(payload ?? sent.packet);
  }
}

/** The paths and names of a chain, as they are. */
export const factsOf = examineChain;

/** Something that holds whatever anybody sends does not hold. */
export class Broken extends Error {}

const COPIES_AN_OCTET = 24;
const COPIES_A_RUN = 262_144;
