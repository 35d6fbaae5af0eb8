/** What the demonstration shows in a terminal: plain lines, coloured where somebody is looking. */

export class Screen {
  readonly #colours: boolean;
  readonly #write: (text: string) => void;

  constructor(stream: NodeJS.WriteStream) {
    this.#colours = stream.isTTY && process.env['NO_COLOR'] === undefined;
    this.#write = (text) => void stream.write(text);
  }

  line(text = ''): void {
    this.#write(`${text}\n`);
  }

  title(text: string): void {
    this.line(this.#paint(BOLD, text));
  }

  /** A named line of a block; what does not fit beside the name follows below it. */
  field(name: string, ...lines: readonly string[]): void {
    lines.forEach((line, at) => this.line(`  ${this.#paint(DIM, (at === 0 ? name : '').padEnd(NAME_WIDTH))}${line}`));
  }

  command(text: string, remark = ''): void {
    this.line(`  ${this.#paint(DIM, '$')} ${text}${remark === '' ? '' : `   ${this.#paint(DIM, `# ${remark}`)}`}`);
  }

  readonly good = (text: string): string => this.#paint(GREEN, text);

  readonly bad = (text: string): string => this.#paint(RED, text);

  faint(text: string): string {
    return this.#paint(DIM, text);
  }

  #paint(code: number, text: string): string {
    return this.#colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

const NAME_WIDTH = 9;

/** ECMA-48 §8.3.117, Select Graphic Rendition. */
const BOLD = 1;
const DIM = 2;
const RED = 31;
const GREEN = 32;
