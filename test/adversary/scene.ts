/**
 * Plays a program of the adversary's: one connection after the other between OpenSSL's client and whoever answers, packet
 * by packet through the gateway, with the client's and the server's TCP sending again what did not arrive. Says what the
 * client believed in the end, and throws where something that always holds does not.
 */
import { setImmediate } from 'node:timers/promises';

import type { ProbeAnswer } from '../../src/judge/ports.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { type Believed, Client, SECRET } from './client.ts';
import type { Editor } from './editor.ts';
import { DIALOGUES } from './forger/dialogues.ts';
import { PreambleSpeaker } from './forger/preamble.ts';
import type { Speaker } from './forger/speaker.ts';
import { factsOf, Gateway } from './gateway.ts';
import { identities, isGenuine } from './identities.ts';
import type { Encounter, Happening, PathTrick, Program } from './moves.ts';
import { open, type Stage } from './opening.ts';
import { policyOf } from './policy.ts';
import { Receiver } from './receiver.ts';
import { type Ends, segment } from './segment.ts';
import { formerSessions, type FormerSession, type FormerSessions } from './shared-sessions.ts';
import { certificatesIn } from './sight.ts';
import { type Piece, Sender } from './sender.ts';
import { editorOf, speakerOf } from './speakers.ts';

const { ack, fin, rst, psh } = TCP_FLAG;

/** What came of one connection. */
export interface Outcome {
  readonly believed: Believed | undefined;
  /** Whether the client was given the whole of a Certificate that is not the bank's, in clear. */
  readonly hasForgedCertificate: boolean;
  /** Whether the client's application data came to somebody who is not the bank. */
  readonly hasSecretLeaked: boolean;
  readonly isServed: boolean;
  readonly error: Error | undefined;
  readonly verdicts: readonly string[];
  /** What the engine was told of this connection's server by probes, and of its secrets. */
  readonly probedGenuine: boolean;
  readonly probeFailed: boolean;
  readonly wasSecretLoggedAtOnce: boolean;
}

/** `isPinned`: false for a gateway that protects nobody, to see what the same moves come to then. */
export async function play(program: Program, { isPinned = true } = {}): Promise<readonly Outcome[]> {
  const scene = new Scene(program, await formerSessions(), isPinned);
  return scene.play();
}

class Scene {
  readonly gateway: Gateway;
  readonly former: FormerSessions;
  readonly #program: Program;
  readonly #isPinned: boolean;
  #version = 0;
  #own: Buffer | undefined;

  constructor(program: Program, former: FormerSessions, isPinned: boolean) {
    this.#program = program;
    this.former = former;
    this.#isPinned = isPinned;
    this.gateway = new Gateway(this.#policy());
  }

  #policy(): Policy {
    const policy = policyOf(this.#program.setting, this.#version);
    return this.#isPinned ? policy : { ...policy, pinsets: [] };
  }

  async play(): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const [index, encounter] of this.#program.connections.entries()) {
      const meeting = new Meeting(this, encounter, { clientPort: 51_000 + index, serverPort: 443 });
      const outcome = await meeting.play();
      this.#own = meeting.session ?? this.#own;
      outcomes.push(outcome);
      this.gateway.wait(1000);
    }
    this.gateway.wait(11_000);
    for (const { request, answer } of this.gateway.examinations.splice(0)) answer(factsOf(request));
    for (const { answer } of this.gateway.probes.splice(0)) answer(probedOf('genuine'));
    this.gateway.wait(100);
    this.gateway.finish();
    return outcomes;
  }

  get prefers(): 'first' | 'last' {
    return this.#program.setting.prefers;
  }

  get own(): Buffer | undefined {
    return this.#own;
  }

  reload(isChanged: boolean): void {
    if (isChanged) this.#version++;
    this.gateway.reload(this.#policy());
  }
}

class Meeting {
  session: Buffer | undefined;
  readonly #scene: Scene;
  readonly #encounter: Encounter;
  readonly #ends: Ends;
  readonly #client: Client;
  readonly #speaker: Speaker;
  readonly #ghost: Speaker | undefined;
  readonly #editor: Editor;
  readonly #atClient: Receiver;
  readonly #atServer: Receiver;
  readonly #clientSide: Sender;
  readonly #serverSide: Sender;
  #ghostOctets = Buffer.alloc(0);
  #activity = 0;
  #moment = 0;
  #told = 0;
  #probedGenuine = false;
  #probeFailed = false;
  #wasSecretLoggedAtOnce = false;
  /** Since when the client has had octets that it has not answered yet, in microseconds. */
  #heardAt: number | undefined;
  readonly #due: { at: number; act: () => void }[] = [];
  readonly #happenings: Happening[];
  readonly #begun = new Set<'client' | 'server'>();

  constructor(scene: Scene, encounter: Encounter, ends: Ends) {
    this.#scene = scene;
    this.#encounter = encounter;
    this.#ends = ends;
    const active = () => void this.#activity++;
    const former = this.#formerSession();
    const { speaker, ghost } = speakerOf(encounter.server, former, active);
    const { preamble, client } = encounter;
    const wrap = (inner: Speaker) =>
      preamble === null ? inner : new PreambleSpeaker(preamble.protocol, preamble.manner, inner);
    this.#speaker = wrap(speaker);
    this.#ghost = ghost && wrap(ghost);
    this.#editor = editorOf(
      encounter.edits,
      this.#scene.former.ticket.ofForger && {
        ticket: this.#scene.former.ticket.ofForger.ticket,
        sessionId: this.#scene.former.id.ofForger!.sessionId,
      },
    );
    this.#client = new Client(
      {
        version: client.version,
        session: client.offers === 'own' ? scene.own : former?.ofClient,
        sni: client.sni,
        dialogue: preamble === null ? undefined : DIALOGUES[preamble.protocol],
        ciphers: client.suites === 'rsa' ? 'AES128-GCM-SHA256:ECDHE+AESGCM' : undefined,
      },
      active,
    );
    this.#clientSide = new Sender(CLIENT_FIRST, encounter.clientSizes);
    this.#serverSide = new Sender(SERVER_FIRST, encounter.sizes);
    this.#atClient = new Receiver(SERVER_FIRST, CLIENT_FIRST, scene.prefers);
    this.#atServer = new Receiver(CLIENT_FIRST, SERVER_FIRST, 'first');
    this.#happenings = [...encounter.happenings].sort((a, b) => a.at - b.at);
  }

  async play(): Promise<Outcome> {
    const before = this.#scene.gateway.verdicts.length;
    const { gateway } = this.#scene;
    const first = { client: CLIENT_FIRST, server: SERVER_FIRST };
    if (await open(gateway, this.#ends, first, this.#encounter.opening, this.#stage())) await this.#converse();
    this.#client.close();
    this.session = this.#client.session;
    this.#speaker.close();
    this.#ghost?.close();
    await this.#settle();
    return this.#outcome(before);
  }

  #stage(): Stage {
    return {
      pass: () => this.#pass(),
      request: async () => {
        this.#begin('client');
        await this.#settle();
        return this.#clientSide.next()?.data ?? NOTHING;
      },
      answer: async () => {
        this.#begin('server');
        this.#deliver();
        await this.#settle();
        return this.#serverSide.next()?.data ?? NOTHING;
      },
      take: (by, octets) => (by === 'client' ? this.#atClient : this.#atServer).takeEarly(octets),
    };
  }

  /** An end that does not wait for the connection to be open may have begun ahead of that. */
  #begin(side: 'client' | 'server'): void {
    if (this.#begun.has(side)) return;
    this.#begun.add(side);
    if (side === 'client') return this.#client.open();
    this.#speaker.open();
    this.#ghost?.open();
  }

  async #converse(): Promise<void> {
    this.#begin('client');
    this.#begin('server');
    const isPatient = this.#encounter.path.length > 0;
    const pauses = isPatient ? [...PAUSES, ...PAUSES] : PAUSES;
    for (let idle = 0, steps = 0; idle < pauses.length && steps < MOST_STEPS; steps++) {
      await this.#settle();
      const had = this.#atClient.length + this.#atServer.length;
      if (this.#isOver) break;
      if (this.#move()) continue;
      this.#pass();
      this.#scene.gateway.wait(pauses[idle++]!);
      if (idle > 1) this.#sendAgain();
      this.#deliver();
      if (this.#atClient.length + this.#atServer.length > had) idle = 0;
    }
    await this.#settle();
  }

  #outcome(before: number): Outcome {
    const { believed, page, received, error } = this.#client;
    const isBank = this.#encounter.server.server === 'real' && this.#encounter.server.whose === 'genuine';
    const verdicts = this.#scene.gateway.verdicts
      .slice(before)
      .map(({ action, reason, evidence, fault }) => [action, reason, evidence, fault].filter(Boolean).join(' '));
    return {
      believed,
      hasForgedCertificate: certificatesIn(received).some((leaf) => !isGenuine(leaf)),
      hasSecretLeaked: !isBank && this.#speaker.heard.includes(SECRET),
      isServed: isBank && page.includes('genuine page') && this.#speaker.heard.includes(SECRET),
      error,
      verdicts,
      probedGenuine: this.#probedGenuine,
      probeFailed: this.#probeFailed,
      wasSecretLoggedAtOnce: this.#wasSecretLoggedAtOnce,
    };
  }

  #formerSession(): FormerSession | undefined {
    const { ticket, id, psk } = this.#scene.former;
    switch (this.#encounter.client.offers) {
      case 'forger-ticket':
        return ticket;
      case 'forger-id':
        return id;
      case 'forger-psk':
        return psk;
      default:
        return undefined;
    }
  }

  /** Nothing more will come of it. */
  get #isOver(): boolean {
    const { believed, page, error } = this.#client;
    if (believed !== undefined) return page.length > 0 && this.#clientSide.isDone && this.#serverSide.isDone;
    return error !== undefined && this.#clientSide.isDone;
  }

  async #settle(): Promise<void> {
    for (let before = -1; before !== this.#activity;) {
      before = this.#activity;
      for (let i = 0; i < 4; i++) await setImmediate();
      this.#clientSide.add(this.#client.take());
      this.#serverSide.add(this.#editor.edit(this.#speaker.take()));
      if (this.#ghost !== undefined) this.#ghostOctets = Buffer.concat([this.#ghostOctets, this.#ghost.take()]);
      this.#tellSecrets();
    }
    this.#heardAt = undefined;
  }

  /** Sends what there is to send; false when there was nothing. */
  #move(): boolean {
    const client = this.#clientSide.next();
    const server = client === undefined || this.#moment % 2 === 0 ? this.#serverSide.next() : undefined;
    if (client !== undefined) this.#send('client', client);
    if (server !== undefined) this.#send('server', server);
    return client !== undefined || server !== undefined;
  }

  #sendAgain(): void {
    for (const side of ['client', 'server'] as const) {
      const sender = side === 'client' ? this.#clientSide : this.#serverSide;
      const peer = side === 'client' ? this.#atClient : this.#atServer;
      for (const piece of sender.unacknowledged(peer.acknowledged)) this.#put(side, piece, {});
    }
    this.#acknowledge();
  }

  #send(side: 'client' | 'server', piece: Piece): void {
    const tricks = this.#encounter.path.filter((move) => move.side === side && move.at === piece.index);
    const has = (what: PathTrick) => tricks.some((move) => move.what === what);
    const ghost = this.#ghostOctets.subarray(piece.offset, piece.offset + piece.data.length);
    if (side === 'server' && ghost.length > 0) this.#put(side, { ...piece, data: ghost }, { isLost: true });
    const other = Buffer.from(piece.data);
    for (let i = 0; i < other.length; i++) other[i]! ^= 0x55;
    if (has('conflict-before')) this.#put(side, { ...piece, data: other }, {});
    if (has('reset-before')) this.#put(side, { ...piece, data: NOTHING }, { flags: rst | ack });
    const later = has('later') ? 1 : has('much-later') ? 4 : 0;
    const put = () => {
      if (!has('lost')) {
        const isLost = has('lost-behind');
        this.#put(side, piece, { isLost, gso: has('gso'), flags: has('fin') ? fin | ack : undefined });
      }
      if (has('twice')) this.#put(side, piece, {});
      if (has('overlap')) {
        const sender = side === 'client' ? this.#clientSide : this.#serverSide;
        const from = Math.max(0, piece.offset - 7);
        this.#put(side, { ...piece, offset: from, data: sender.slice(from, piece.offset + piece.data.length) }, {});
      }
      if (has('conflict-after')) this.#put(side, { ...piece, data: other }, {});
    };
    if (later === 0) put();
    else this.#due.push({ at: this.#moment + later * 2, act: put });
  }

  #put(
    side: 'client' | 'server',
    piece: Piece,
    how: { isLost?: boolean; gso?: boolean; flags?: number | undefined },
  ): void {
    this.#pass();
    const fromClient = side === 'client';
    const packet = segment(this.#ends, {
      fromClient,
      seq: seqAdd(fromClient ? CLIENT_FIRST : SERVER_FIRST, piece.offset),
      ack: (fromClient ? this.#atClient : this.#atServer).next,
      flags: how.flags ?? (piece.data.length > 0 ? psh | ack : ack),
      data: piece.data,
      // Where octets belong, for those who have agreed on several paths.
      ...(this.#encounter.opening === 'multipath' && !fromClient ? { options: DATA_SEQUENCE } : {}),
    });
    const receiver = fromClient ? this.#atServer : this.#atClient;
    const arrive = how.isLost ? undefined : (arrived: Uint8Array) => receiver.receive(arrived);
    this.#scene.gateway.send(this.#ends.clientPort, fromClient, packet, false, arrive, { gso: how.gso ?? false });
    this.#deliver();
  }

  /** What arrived is told to whom it is for, and acknowledged. */
  #deliver(): void {
    const toClient = this.#atClient.take();
    if (toClient.length > 0) {
      this.#heardAt ??= this.#scene.gateway.now;
      this.#client.hear(toClient);
    }
    const toServer = this.#atServer.take();
    if (toServer.length > 0) {
      this.#speaker.hear(toServer);
      this.#ghost?.hear(toServer);
    }
    if (this.#atClient.isReset || this.#atClient.isEnded) this.#client.end();
    if (toClient.length > 0) this.#acknowledge();
  }

  #acknowledge(): void {
    this.#put('client', { index: -1, offset: this.#clientSide.sent, data: NOTHING }, {});
    this.#put('server', { index: -1, offset: this.#serverSide.sent, data: NOTHING }, {});
  }

  /** One moment goes by: what is due then happens. */
  #pass(): void {
    this.#moment++;
    while (this.#happenings.length > 0 && this.#happenings[0]!.at <= this.#moment) {
      this.#happen(this.#happenings.shift()!.what);
    }
    this.#answer();
    for (const due of this.#due.splice(0)) {
      if (due.at <= this.#moment) due.act();
      else this.#due.push(due);
    }
  }

  #happen(what: Happening['what']): void {
    const { gateway } = this.#scene;
    if (what === 'reload') this.#scene.reload(false);
    else if (what === 'change' || what === 'list') this.#scene.reload(true);
    else if (what === 'restart') gateway.restart();
    else gateway.wait(Number(what.slice(5)));
  }

  /** Questions of the gateway's are answered so many moments after they were asked. */
  #answer(): void {
    const { gateway } = this.#scene;
    const { prober, examiner } = this.#encounter;
    for (const { request, answer } of gateway.examinations.splice(0)) {
      this.#later(examiner.after, () => answer(factsOf(request)));
    }
    for (const { request, answer } of gateway.probes.splice(0)) {
      const { answer: kind } = prober;
      if (kind === 'never') continue;
      this.#later(prober.after, () => {
        if (request.client.port === this.#ends.clientPort) {
          this.#probedGenuine ||= kind === 'genuine';
          this.#probeFailed ||= kind === 'failed';
        }
        answer(probedOf(kind));
      });
    }
  }

  #later(moments: number, act: () => void): void {
    if (moments === 0) act();
    else this.#due.push({ at: this.#moment + moments, act });
  }

  #tellSecrets(): void {
    const { which, after } = this.#encounter.secret;
    for (const { clientRandom, secret } of this.#client.secrets.slice(this.#told)) {
      this.#told++;
      if (which === 'none') continue;
      const told = which === 'right' ? secret : Buffer.alloc(secret.length, 0x77);
      const { now, policy } = this.#scene.gateway;
      const isLate = now - (this.#heardAt ?? now) > policy.limits.keylogWait * 1000;
      this.#wasSecretLoggedAtOnce ||= after === 0 && !isLate;
      this.#later(after, () => this.#scene.gateway.logSecret(clientRandom, told));
    }
  }
}

function probedOf(kind: 'genuine' | 'forged' | 'failed'): ProbeAnswer {
  if (kind === 'failed') return { kind, reason: 'closed', detail: '', fromCache: false };
  const { chain } = identities()[kind].ec;
  return {
    kind: 'certificates',
    chain: chain.map((der) => new Uint8Array(der)),
    isRawPublicKey: false,
    version: 0x0304,
    proven: true,
    alternatives: [],
    fromCache: false,
  };
}

const CLIENT_FIRST = 1001;
const SERVER_FIRST = 5001;
/** RFC 8684 §3.3: a mapping of the first octet. */
const DATA_SEQUENCE = Buffer.from('1e0e0104000000010000000105780101', 'hex');
const NOTHING = Buffer.alloc(0);
/** Milliseconds that both ends wait when nothing comes, before they send again. */
const PAUSES = [1, 31, 250, 250, 500, 1000, 3100];
const MOST_STEPS = 400;
