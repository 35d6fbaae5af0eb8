/** What the page asks the server, and what that tells by itself: ../src/web/api.ts in the words of a browser. */
import type { Answered, Answering, Audited, Events, Failure, Relearning, Session, SignIn } from '../src/web/api.ts';

export class Refused extends Error {
  readonly status: number;

  constructor(status: number, sentence: string) {
    super(sentence);
    this.status = status;
  }
}

export class Server {
  session: Session | null = null;
  #stream: EventSource | null = null;
  /** The session has ended, or there was none. */
  onSignedOut: () => void = () => {};

  async begin(): Promise<Session> {
    return (this.session = await this.get<Session>('/api/session'));
  }

  async signIn(secret: string): Promise<void> {
    this.session = await this.#send<Session>('POST', '/api/session', { secret } satisfies SignIn);
  }

  async signOut(): Promise<void> {
    await this.#send('DELETE', '/api/session');
    this.#stream?.close();
    this.onSignedOut();
  }

  answer(id: string, answering: Answering): Promise<Answered> {
    return this.#send<Answered>('POST', `/api/inbox/${id}`, answering);
  }

  audit(id: string): Promise<Audited> {
    return this.#send<Audited>('POST', `/api/inbox/${id}/audit`, {});
  }

  relearn(relearning: Relearning): Promise<void> {
    return this.#send('POST', '/api/learned', relearning);
  }

  get<T>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
  }

  /** `onLink`: whether events come. The browser connects again by itself, unless it was told not to. */
  follow(
    listeners: { readonly [Name in keyof Events]: (event: Events[Name]) => void },
    onLink: (isUp: boolean) => void,
  ): void {
    const stream = (this.#stream = new EventSource('/api/events'));
    for (const [name, listener] of Object.entries(listeners)) {
      stream.addEventListener(name, ({ data }) => (listener as (event: unknown) => void)(JSON.parse(data)));
    }
    stream.addEventListener('open', () => onLink(true));
    stream.addEventListener('error', () => {
      onLink(false);
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => this.#again(listeners, onLink), AGAIN_MS);
    });
  }

  /** What had closed the stream for good was a refusal: of the session, or for a while. */
  async #again(...[listeners, onLink]: Parameters<Server['follow']>): Promise<void> {
    try {
      await this.begin();
      this.follow(listeners, onLink);
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.onSignedOut();
      else setTimeout(() => this.#again(listeners, onLink), AGAIN_MS);
    }
  }

  async #send<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (method !== 'GET') {
      headers['content-type'] = 'application/json';
      headers['x-csrf-token'] = this.session?.csrf ?? '';
    }
    const response = await fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.status === 204) return undefined as T;
    const answer = (await response.json().catch(() => ({}))) as T & Partial<Failure>;
    if (response.ok) return answer;
    if (response.status === 401 && path !== '/api/session') this.onSignedOut();
    throw new Refused(response.status, answer.error ?? `the console answers ${response.status}`);
  }
}

const AGAIN_MS = 2_000;
