/**
 * Gives place to another tlspin that asks for it on the control socket, and goes on where that one does not come to run:
 * in between nobody reads the queues, and the kernel keeps what comes. Knows the socket; what is let go of is the
 * operator's. See handed.ts for who says what.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { NativeBinding, PeerCredentials } from '../../source/binding.ts';
import type { Answer, HandedOn } from '../control/server.ts';
import { LineReader } from '../control/lines.ts';
import type { RequestReader } from '../control/requests.ts';
import { type AddedLists, type Remembered, TAKEOVER_VERSION, type Terms, writeRemembered } from './handed.ts';

export interface SuccessorOptions {
  readonly binding: Pick<NativeBinding, 'sendDescriptors'>;
  readonly terms: () => Terms;
  readonly added: () => AddedLists;
  /** Lets go of everything that only one process may have; rejects with a sentence, and then goes on itself. */
  readonly release: () => Promise<Remembered>;
  /** Takes all of it again. */
  readonly resume: () => Promise<void>;
  /** The other one runs. */
  readonly onTaken: (by: string) => void;
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class Successor {
  readonly #options: SuccessorOptions;
  #isUnderWay = false;

  /** Another one has, or is about to have, what only one may have. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  constructor(options: SuccessorOptions) {
    this.#options = options;
  }

  answer(request: RequestReader, peer: PeerCredentials, by: string): Answer | HandedOn {
    const version = request.integer('version', 0, Number.MAX_SAFE_INTEGER);
    const isRelease = request.flag('release');
    request.end();
    // A group that may write to the socket may ask and tell, and not be the engine.
    if (peer.uid !== 0 && peer.uid !== process.geteuid!()) throw new Error('only root and its own user may take over');
    if (version !== TAKEOVER_VERSION) {
      throw new Error(
        `this tlspin hands over by version ${TAKEOVER_VERSION}, not ${version}: end it, and start the other`,
      );
    }
    if (this.#isUnderWay) throw new Error('another tlspin is taking over already');
    if (!isRelease) return { ok: true, version, terms: this.#options.terms(), added: this.#options.added() };
    this.#isUnderWay = true;
    return { handOn: (socket) => void this.#handOver(socket, by) };
  }

  async #handOver(socket: Socket, by: string): Promise<void> {
    const { say, onTaken, resume } = this.#options;
    say(`handing over to ${by}`);
    const other = new OtherEnd(socket);
    const why = await this.#letGo(socket, other).then(
      () => other.runs,
      (error: unknown) => (error as Error).message,
    );
    if (why === undefined) {
      say(`${by} has taken over`);
      socket.destroy();
      return onTaken(by);
    }
    say(`not handed over (${why}): going on`);
    socket.destroy();
    await resume();
    this.#isUnderWay = false;
  }

  async #letGo(socket: Socket, other: OtherEnd): Promise<void> {
    const remembered = await this.#options.release();
    if (other.isGone) throw new Error('it is gone');
    await new Promise<void>((resolve, reject) => {
      socket.write(`${writeRemembered(remembered)}\n`, (error) => (error ? reject(error) : resolve()));
    });
    const { fd } = (socket as unknown as { _handle: { readonly fd: number } | null })._handle ?? { fd: -1 };
    const descriptors = remembered.queues.map(([, { handed }]) => handed.descriptor);
    for (let first = 0; first < descriptors.length; first += DESCRIPTORS_AT_ONCE) {
      await this.#send(fd, descriptors.slice(first, first + DESCRIPTORS_AT_ONCE), other);
    }
  }

  /** A blank with them, so that they have an octet to go with. */
  async #send(fd: number, descriptors: readonly number[], other: OtherEnd): Promise<void> {
    while (!other.isGone) {
      const sent = this.#options.binding.sendDescriptors(fd, BLANK, descriptors);
      if (sent > 0) return;
      if (sent !== -EAGAIN) throw new Error(`its queues cannot be sent (errno ${-sent})`);
      await sleep(1);
    }
    throw new Error('it is gone');
  }
}

/** The one that takes over, as its connection tells. */
class OtherEnd {
  isGone = false;
  /** Resolves with undefined when it runs, or with why it does not. Until then it may be reading. */
  readonly runs: Promise<string | undefined>;

  constructor(socket: Socket) {
    const reader = new LineReader(LONGEST_LINE);
    this.runs = new Promise((resolve) => {
      const gone = (): void => {
        this.isGone = true;
        resolve('it has ended');
      };
      socket.on('data', (bytes: Buffer) => {
        if (reader.feed(bytes).some((line) => line.includes('"running"'))) resolve(undefined);
      });
      socket
        .on('end', gone)
        .on('close', gone)
        .on('error', () => {});
      socket.resume();
    });
  }
}

/** SCM_MAX_FD is 253. */
const DESCRIPTORS_AT_ONCE = 128;
const BLANK = Buffer.from(' ');
const LONGEST_LINE = 4096;
const EAGAIN = 11;
