/**
 * What both sides have said in their hellos, in the order of RFC 8446 §4.1: a ClientHello, maybe a HelloRetryRequest and
 * the second ClientHello that it asked for, and the ServerHello. Keeps them for whoever judges by them; decides nothing.
 */
import { normalName } from '../pins/match/match-index.ts';
import { type ClientHello, offersTls13 } from '../tls/client-hello.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import { effectiveName } from '../tls/server-name.ts';

/** What leads to the keys of a handshake of TLS 1.3. */
export interface HelloMessages {
  readonly clientHello: ClientHello;
  readonly retry: { readonly request: ServerHello; readonly clientHello: ClientHello } | undefined;
  readonly serverHello: ServerHello;
}

export class Hellos {
  #client: ClientHello | undefined;
  #name: string | null = null;
  #retryRequest: ServerHello | undefined;
  #secondClient: ClientHello | undefined;
  #server: ServerHello | undefined;
  #isAskedAgain = false;
  #asked: string | null = null;

  /** The client's first one. */
  get client(): ClientHello | undefined {
    return this.#client;
  }

  /** The server's answer; a HelloRetryRequest is none. */
  get server(): ServerHello | undefined {
    return this.#server;
  }

  /** The server waits for the second ClientHello. */
  get isAskedAgain(): boolean {
    return this.#isAskedAgain;
  }

  /** The name by which pinsets are selected. */
  get name(): string | null {
    return this.#name;
  }

  /** The name that a proxy was asked for, where that is not the one that is asked for in TLS. */
  get fronted(): string | null {
    const asked = this.#asked;
    return asked === null || (this.name !== null && normalName(this.name) === normalName(asked)) ? null : asked;
  }

  /** The client has a proxy connect it with that host. */
  onTunnel(host: string | undefined): void {
    this.#asked = effectiveName(host ?? null);
  }

  get offersTls13(): boolean {
    return this.#client !== undefined && offersTls13(this.#client);
  }

  /** There once the server has answered a client that was seen. */
  get messages(): HelloMessages | undefined {
    const [clientHello, serverHello, request, second] = [
      this.#client,
      this.#server,
      this.#retryRequest,
      this.#secondClient,
    ];
    if (clientHello === undefined || serverHello === undefined) return undefined;
    return { clientHello, retry: request && second && { request, clientHello: second }, serverHello };
  }

  /** What the client offers to resume; empty where it offers nothing. */
  get credential(): Uint8Array {
    const ticket = this.#client?.sessionTicket ?? EMPTY;
    // What a client offers besides a ticket is an id of its own making (RFC 5077 §3.4).
    return ticket.length > 0 ? ticket : (this.#client?.sessionId ?? EMPTY);
  }

  /** Whether the server, which shows no certificate, may have taken the session that the client offers. */
  get resumes(): boolean {
    const client = this.#client;
    if (client === undefined) return false;
    const isEchoed = client.sessionId.length > 0 && Buffer.compare(client.sessionId, this.#server!.sessionId) === 0;
    return isEchoed || (client.sessionTicket ?? EMPTY).length > 0;
  }

  /** True for the first one. */
  onClient(hello: ClientHello): boolean {
    if (this.#client === undefined) {
      this.#client = hello;
      this.#name = hello.name;
      return true;
    }
    this.#secondClient = hello;
    this.#isAskedAgain = false;
    return false;
  }

  /** True for the answer. */
  onServer(hello: ServerHello): boolean {
    this.#isAskedAgain = hello.isHelloRetryRequest;
    if (hello.isHelloRetryRequest) this.#retryRequest = hello;
    else this.#server = hello;
    return !hello.isHelloRetryRequest;
  }
}

const EMPTY = new Uint8Array(0);
