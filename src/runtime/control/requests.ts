/** The parameters of a request, taken one by one and checked; what is wrong is thrown as one sentence. */
import { plainAddress } from '../../pins/address.ts';
import { parseRange } from '../../pins/compile/match.ts';
import { parseDate } from '../../pins/document/dates.ts';

export class RequestReader {
  readonly #request: Readonly<Record<string, unknown>>;
  readonly #left: Set<string>;

  constructor(request: Readonly<Record<string, unknown>>) {
    this.#request = request;
    this.#left = new Set(Object.keys(request).filter((key) => key !== 'command'));
  }

  text(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined || (typeof value === 'string' && value.length <= LONGEST_TEXT)) return value;
    throw new Error(`"${key}" must be a text`);
  }

  /** A text, or a whole number as its digits. */
  word(key: string): string | undefined {
    const value = this.#request[key];
    if (!Number.isSafeInteger(value)) return this.text(key);
    this.#take(key);
    return String(value);
  }

  /** A flow's number. */
  flow(key: string): number | undefined {
    const text = this.word(key);
    if (text === undefined) return undefined;
    const [, id] = FLOW.exec(text) ?? [];
    if (id === undefined) throw new Error(`"${key}" must be the number of a flow, such as 1234`);
    return Number(id);
  }

  flag(key: string): boolean {
    const value = this.#take(key) ?? false;
    if (typeof value === 'boolean') return value;
    throw new Error(`"${key}" must be true or false`);
  }

  integer(key: string, least: number, most: number): number | undefined {
    const value = this.#take(key);
    const fits = typeof value === 'number' && Number.isSafeInteger(value) && least <= value && value <= most;
    if (value === undefined || fits) return value;
    throw new Error(`"${key}" must be a whole number from ${least} to ${most}`);
  }

  texts(key: string): readonly string[] {
    const value = this.#take(key) ?? [];
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
    throw new Error(`"${key}" must be a list of texts`);
  }

  choice<T extends string>(key: string, values: readonly T[]): T | undefined {
    const value = this.#take(key);
    if (value === undefined || values.includes(value as T)) return value as T | undefined;
    throw new Error(`"${key}" must be one of ${values.join(', ')}`);
  }

  address(key: string): Uint8Array | undefined {
    const text = this.text(key);
    if (text === undefined) return undefined;
    const parsed = parseRange(text);
    if ('value' in parsed && parsed.value.prefix === parsed.value.address.length * 8) {
      return plainAddress(parsed.value.address);
    }
    throw new Error(`"${key}" must be an address`);
  }

  /** Milliseconds since the epoch. */
  instant(key: string): number | undefined {
    const text = this.text(key);
    const at = text === undefined ? undefined : parseDate(text);
    if (text === undefined || at !== undefined) return at;
    throw new Error(`"${key}" must be a time such as 2027-01-31T12:00:00Z`);
  }

  /** Nothing else was to be said. */
  end(): void {
    const [unknown] = this.#left;
    if (unknown !== undefined) throw new Error(`"${unknown}" is no parameter of this command`);
  }

  #take(key: string): unknown {
    this.#left.delete(key);
    return this.#request[key] ?? undefined;
  }
}

/** A flow_id. */
export const FLOW = /^(\d{1,15})$/;
const LONGEST_TEXT = 1_000;
