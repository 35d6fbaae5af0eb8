/** The language of man(7) as far as our pages use it: text that stays text, tagged paragraphs, sections. */

export type Section = readonly [title: string, lines: readonly string[]];

/** `about`: its title, its section, what it belongs to, and the manual's name; sections without lines are left out. */
export function page(about: readonly [string, string, string, string, string], sections: readonly Section[]): string {
  // Dates are not text.
  const [title, section, date, source, manual] = about.map((part, i) => `"${i === 2 ? part : escaped(part)}"`);
  const kept = sections.filter(([, lines]) => lines.length > 0);
  return `.TH ${title} ${section} ${date} ${source} ${manual}
${kept.map(([name, lines]) => `.SH ${escaped(name)}\n${lines.join('\n')}`).join('\n')}
`;
}

export function tagged(tag: string, about: string): string[] {
  return ['.TP', tag, text(about)];
}

export function bold(part: string): string {
  return part === '' ? '' : `\\fB${escaped(part)}\\fR`;
}

export function italic(part: string): string {
  return `\\fI${escaped(part)}\\fR`;
}

/** A line of running text: what begins with a dot or an apostrophe would be a request. */
export function text(line: string): string {
  return escaped(line).replace(/^[.']/, '\\&$&');
}

/** As it is typed, line by line. */
export function example(lines: readonly string[]): string[] {
  return ['.EX', ...lines.map(text), '.EE'];
}

/** groff_char(7): characters that have a meaning of their own, and those that are no ASCII. */
export function escaped(part: string): string {
  return part
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('’', '\\(cq')
    .replaceAll('…', '...')
    .replace(
      /[^\x20-\x7e]/g,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
