/** Elements from data. Whatever a peer may have chosen goes in as text: nothing here parses markup. */
export type Child = Node | string | null | undefined;

export interface Attributes {
  readonly [name: string]: string | number | boolean | null | undefined;
}

/** Attributes that are null, undefined or false are left out. No `style`: the page's policy refuses it. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? '' : String(value));
    }
  }
  append(made, children);
  return made;
}

export function append(parent: Node, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined) continue;
    parent.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
  }
}

export function button(text: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const made = element('button', { type: 'button', ...attributes }, text);
  made.addEventListener('click', onClick);
  return made;
}

/** What is copied: monospaced, and broken anywhere. */
export function code(text: string): HTMLElement {
  return element('code', {}, text);
}

/** What the program says, with its commands and keys as what is copied. */
export function prose(text: string): HTMLElement {
  const parts = text.split(/(`[^`]+`|spki-sha256:[A-Za-z0-9+/]{43}=)/u);
  return element('span', {}, ...parts.map((part, i) => (i % 2 === 0 ? part : code(part.replaceAll('`', '')))));
}

/** Terms and what they are; those without one are left out. */
export function terms(entries: readonly (readonly [string, Child])[]): HTMLElement {
  const list = element('dl');
  for (const [term, value] of entries) {
    if (value === null || value === undefined || value === '') continue;
    list.append(element('div', {}, element('dt', {}, term), element('dd', {}, value)));
  }
  return list;
}

/**
 * A table that scrolls by itself where it is too wide, by keyboard too. Where there is little room its rows stand one
 * below the other, each cell with its head: the roles keep it a table to whoever hears it.
 */
export function table(label: string, head: readonly string[], rows: readonly (readonly Child[])[]): HTMLElement {
  const cells = (row: readonly Child[]) =>
    row.map((cell, i) => element('td', { role: 'cell', 'data-label': head[i] }, cell));
  const heads = head.map((text) => element('th', { scope: 'col', role: 'columnheader' }, text));
  return element(
    'div',
    { class: 'scrolls', role: 'region', 'aria-label': label, tabindex: 0 },
    element(
      'table',
      { role: 'table', 'aria-label': label },
      element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
      element('tbody', { role: 'rowgroup' }, ...rows.map((row) => element('tr', { role: 'row' }, ...cells(row)))),
    ),
  );
}

/** Another content, in which what was open is open, and what had the focus has it. */
export function renew(place: HTMLElement, content: readonly Node[]): void {
  const opens = () => [...place.querySelectorAll('details')];
  const focusables = () => [...place.querySelectorAll<HTMLElement>('a, summary, button, [tabindex]')];
  const open = opens().map((each) => each.open);
  const focused = focusables().indexOf(document.activeElement as HTMLElement);
  place.replaceChildren(...content);
  opens().forEach((each, i) => (each.open = open[i] ?? each.open));
  if (focused >= 0) focusables()[focused]?.focus({ preventScroll: true });
}

/** A colour is never alone in saying something: the text says it too. */
export function badge(text: string, level: string): HTMLElement {
  return element('span', { class: 'badge', 'data-level': level }, text);
}
