/**
 * A denial under way: hands it the packets of the flow, those that wait first, and answers each with what it makes of
 * them, until both ends know. Why the flow is denied, and by what manners of TCP it ends, are not its business.
 */
import { copyOf } from '../../bytes/copy.ts';
import type { PacketContext } from '../../packet/context.ts';
import type { MarkChange } from '../../packet/source.ts';
import { TCP_FLAG } from '../../packet/tcp.ts';
import { SEGMENT } from '../../tcp/half-stream.ts';
import type { Ruling } from '../../judge/ruling.ts';
import { alertFor } from './alert.ts';
import type { Answers } from '../answers.ts';
import { Denial } from './denial.ts';
import type { Gate } from '../gate.ts';
import type { HeldPacket } from '../held.ts';
import type { Inspection } from '../inspection.ts';
import type { Streams } from '../streams.ts';
import { type Vehicle, vehicleOf, vehicleOfHeld } from './vehicle.ts';

export interface DenyingParts {
  readonly answers: Answers;
  readonly streams: Streams;
  readonly gate: Gate;
  readonly inspection: Inspection;
  readonly ruling: Ruling;
  readonly mark: () => MarkChange;
}

export class Denying {
  readonly #answers: Answers;
  readonly #streams: Streams;
  readonly #denial: Denial;
  readonly #mark: () => MarkChange;
  /** Octets of the server's that the client was let have. */
  readonly #delivered: number;
  #isDone = false;

  constructor({ answers, streams, gate, inspection, ruling, mark }: DenyingParts) {
    this.#answers = answers;
    this.#streams = streams;
    this.#mark = mark;
    this.#delivered = gate.delivered;
    const alert = alertFor(ruling.reason, inspection.recordVersion);
    const canRead = gate.atBoundary && inspection.begun && alert.length < gate.room;
    this.#denial = new Denial({
      alert: ruling.action === 'tls-alert' && canRead ? alert : null,
      room: gate.room,
      clientNext: streams.server.seqOf(gate.delivered),
      serverNext: streams.client.seqOf(streams.forwarded),
    });
  }

  /** Both ends know; the mark is with the last packet. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** What waited, and `p`, the server's packet that brought the decision, if one did. */
  begin(held: readonly HeldPacket[], heldOfClient: readonly HeldPacket[], p: PacketContext | undefined): void {
    for (const packet of held) {
      if (this.#denial.owed) this.#towardsClient(packet.packetId, vehicleOfHeld(packet));
      else this.#answers.drop(packet.packetId);
    }
    for (const packet of heldOfClient) this.#towardsServer(packet.packetId, vehicleOfHeld(packet));
    if (p === undefined) return;
    if (this.#isDone) this.#answers.drop(p.packetId, this.#mark());
    else if (this.#denial.owed) this.#towardsClient(p.packetId, vehicleOf(p));
    else this.#answers.drop(p.packetId);
  }

  onClientPacket(p: PacketContext): void {
    if (p.tcp.has(TCP_FLAG.ack)) this.#streams.server.acknowledge(p.tcp.ack);
    this.#towardsServer(p.packetId, vehicleOf(p));
  }

  /** What the client was let have before it may still have. */
  onServerPacket(p: PacketContext): void {
    const { server } = this.#streams;
    const { bytes, seq, dataStart, dataEnd } = p.tcp;
    const offset = server.offsetOf(seq);
    const known = Math.min(this.#delivered - offset, dataEnd - dataStart);
    const isLost =
      known > 0 && offset >= 0 && server.accept(seq, bytes, dataStart, dataStart + known, nobody) === SEGMENT.duplicate;
    if (isLost && known === dataEnd - dataStart) return this.#answers.accept(p.packetId);
    const lost = isLost ? copyOf(bytes, dataStart, dataStart + known) : undefined;
    this.#towardsClient(p.packetId, vehicleOf(p, lost));
  }

  #towardsClient(packetId: number, vehicle: Vehicle): void {
    const { payload } = this.#denial.onPacketToClient(vehicle);
    if (payload === null) this.#answers.drop(packetId);
    else this.#answers.replace(packetId, payload);
  }

  #towardsServer(packetId: number, vehicle: Vehicle): void {
    if (this.#isDone) return this.#answers.drop(packetId, this.#mark());
    const { payload, done } = this.#denial.onPacketToServer(vehicle);
    if (payload === null) return this.#answers.drop(packetId);
    this.#answers.replace(packetId, payload, done ? this.#mark() : undefined);
    this.#isDone = done;
  }
}

/** Takes what is only compared. */
const nobody = (): void => undefined;
