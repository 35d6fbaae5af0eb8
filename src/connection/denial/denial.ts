/**
 * Carries a denial out over the flow's own packets, until both ends know: a packet towards the client becomes the alert
 * (or a reset), the client's answer becomes the reset to the server, and with it goes the deny mark. Where no packet
 * comes, one is elicited: by a FIN in the client's name, because conntrack finds the client's answer invalid where the
 * packet that carries the news was shorter than the news, and a server whose client is gone should know it even so. Knows
 * TCP's manners; why the flow is denied is not its business.
 *
 *   owed ──packet to the client──▶ told ──client's ACK, FIN or RST──▶ done (mark; the kernel drops the rest)
 *     ▲ client's packets become its FIN      │ server's packets: told again (the alert may have been lost)
 *
 * What the client was let have ahead of the decision may have been lost too: it gets that from the server once more.
 */
import { rewriteSegment } from '../../packet/rewrite.ts';
import { TCP_FLAG } from '../../packet/tcp.ts';
import { seqAdd, seqDiff } from '../../tcp/sequence.ts';
import type { Vehicle } from './vehicle.ts';

export interface DenialPlan {
  /** The alert record, shorter than `room`, or null for a reset. */
  readonly alert: Uint8Array | null;
  /** Octets up to those that the client has behind a gap already: what fills the gap would hand them to its reader. */
  readonly room: number;
  /** What the client expects next: RCV.NXT of its side. */
  readonly clientNext: number;
  /** What the server expects next. */
  readonly serverNext: number;
}

/** What becomes of one packet: its replacement, or null when it is dropped. */
export interface DenialStep {
  readonly payload: Uint8Array | null;
  /** The last step: both ends know, the deny mark may be written. */
  readonly done: boolean;
}

export class Denial {
  readonly #plan: DenialPlan;
  /** What the server expects next, a FIN of ours included. */
  #serverNext: number;
  #told = 0;

  constructor(plan: DenialPlan) {
    this.#plan = plan;
    this.#serverNext = plan.serverNext;
  }

  /** True until a packet has carried the news towards the client. */
  get owed(): boolean {
    return this.#told === 0;
  }

  onPacketToClient(packet: Vehicle): DenialStep {
    const { alert, clientNext, room } = this.#plan;
    const vehicle = this.#withoutFin(packet);
    if (vehicle.lost.length > 0) return this.#refill(vehicle);
    if (alert !== null) {
      if (vehicle.isGso && vehicle.dataLength >= room) return DROP;
      this.#told++;
      const payload = vehicle.isGso ? repeat(alert, vehicle.dataLength) : alert;
      const flags = TCP_FLAG.psh | TCP_FLAG.ack | (hasRoomForFin(vehicle, clientNext, payload) ? TCP_FLAG.fin : 0);
      return step(vehicle, clientNext, vehicle.ack, flags, payload);
    }
    if (vehicle.isGso) return DROP;
    this.#told++;
    // A client that has had its reset answers a bare ACK with a reset of its own, which tells the server.
    if (this.#told > RESETS_BEFORE_ACK) return step(vehicle, clientNext, vehicle.ack, TCP_FLAG.ack, NOTHING);
    return step(vehicle, clientNext, vehicle.ack, TCP_FLAG.rst | TCP_FLAG.ack, NOTHING);
  }

  /** The client has sent no FIN that could be acknowledged. */
  #withoutFin(vehicle: Vehicle): Vehicle {
    const { serverNext } = this.#plan;
    if (seqDiff(vehicle.ack, serverNext) <= 0) return vehicle;
    this.#serverNext = seqAdd(serverNext, 1);
    return { ...vehicle, ack: serverNext };
  }

  /** No news can be read where octets are missing ahead of it; an alert may follow them where it fits. */
  #refill(vehicle: Vehicle): DenialStep {
    const { alert, clientNext } = this.#plan;
    if (vehicle.isGso) return DROP;
    const fits = alert !== null && vehicle.lost.length + alert.length <= vehicle.dataLength;
    if (fits) this.#told++;
    const payload = fits ? Buffer.concat([vehicle.lost, alert]) : vehicle.lost;
    const seq = seqAdd(clientNext, -vehicle.lost.length);
    return step(vehicle, seq, vehicle.ack, TCP_FLAG.psh | TCP_FLAG.ack, payload);
  }

  onPacketToServer(vehicle: Vehicle): DenialStep {
    const { alert, clientNext } = this.#plan;
    const isReset = (vehicle.flags & TCP_FLAG.rst) !== 0;
    const hasRead = alert !== null && seqDiff(vehicle.ack, seqAdd(clientNext, alert.length)) >= 0;
    const isClosing = (vehicle.flags & TCP_FLAG.fin) !== 0 && !this.owed;
    if (isReset || (!this.owed && (hasRead || (alert !== null && isClosing)))) {
      // A super-packet cannot become a reset; the client sends another.
      if (vehicle.isGso) return DROP;
      return { ...step(vehicle, this.#serverNext, clientNext, TCP_FLAG.rst | TCP_FLAG.ack, NOTHING), done: true };
    }
    if (vehicle.isGso) return DROP;
    return step(vehicle, this.#plan.serverNext, clientNext, TCP_FLAG.fin | TCP_FLAG.ack, NOTHING);
  }
}

function step(vehicle: Vehicle, seq: number, ack: number, flags: number, payload: Uint8Array): DenialStep {
  const keepOptions = (flags & TCP_FLAG.rst) === 0;
  return { payload: rewriteSegment(vehicle.headers, { seq, ack, flags, payload, keepOptions }), done: false };
}

/**
 * Nothing comes after a fatal alert: with FIN, clients that wait for the end of the stream need not. But conntrack finds
 * an acknowledgement invalid that is beyond what it saw of the server, and the client's answer must get through.
 */
function hasRoomForFin({ headers, dataLength }: Vehicle, clientNext: number, payload: Uint8Array): boolean {
  const { buffer, byteOffset } = headers.tcp;
  const seen = seqAdd(new DataView(buffer, byteOffset).getUint32(4), dataLength);
  return seqDiff(seen, seqAdd(clientNext, payload.length + 1)) >= 0;
}

/** `record` over and over, to exactly `length` octets. */
function repeat(record: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; at++) out[at] = record[at % record.length]!;
  return out;
}

const DROP: DenialStep = { payload: null, done: false };
const NOTHING = new Uint8Array(0);
const RESETS_BEFORE_ACK = 2;
