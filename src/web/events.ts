/**
 * Browsers that are told what happens, as it happens (Server-Sent Events, WHATWG HTML §9.2). Nobody is waited for: one
 * that does not read is let go, and connects again by itself.
 */
import type { Events } from './api.ts';

export class EventHub {
  readonly #browsers = new Set<Browser>();
  readonly #bounds: { readonly browsers: number; readonly octets: number };
  /** Let go because they did not read. */
  dropped = 0;

  constructor(bounds: { readonly browsers: number; readonly octets: number } = BOUNDS) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#browsers.size;
  }

  /** Undefined where there are too many. `isAllowed`: asked again and again. */
  connect(isAllowed: () => boolean): ReadableStream<Uint8Array> | undefined {
    if (this.#browsers.size >= this.#bounds.browsers) return undefined;
    let browser: Browser;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#browsers.add((browser = { controller, isAllowed }));
          controller.enqueue(ENCODER.encode('retry: 1000\n\n'));
        },
        cancel: () => void this.#browsers.delete(browser),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: this.#bounds.octets }),
    );
  }

  tell<Name extends keyof Events>(event: Name, data: Events[Name]): void {
    if (this.#browsers.size > 0) this.#send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** A comment, by which a connection that is gone is noticed; and who may not be told any more is let go. */
  beat(): void {
    this.#send(': \n\n');
  }

  close(): void {
    for (const browser of this.#browsers) this.#end(browser);
  }

  #send(text: string): void {
    const bytes = ENCODER.encode(text);
    for (const browser of this.#browsers) {
      if (!browser.isAllowed()) this.#end(browser);
      else if ((browser.controller.desiredSize ?? 0) <= 0) {
        this.dropped++;
        this.#end(browser);
      } else browser.controller.enqueue(bytes);
    }
  }

  #end(browser: Browser): void {
    this.#browsers.delete(browser);
    browser.controller.close();
  }
}

interface Browser {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  readonly isAllowed: () => boolean;
}

const ENCODER = new TextEncoder();
const BOUNDS = { browsers: 32, octets: 4 * 1024 * 1024 };
