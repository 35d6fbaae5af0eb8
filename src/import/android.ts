/**
 * Android's network_security_config.xml: the pin sets of its domains. A document type is refused, so that entities are
 * the five of XML itself. Everything in it that is no pin set is named and left out.
 */
import { XMLParser } from 'fast-xml-parser';

import { parseDate } from '../pins/document/dates.ts';
import { DEEPEST, TOO_DEEP } from '../pins/document/nesting.ts';
import { parsePin } from '../pins/document/pin-string.ts';
import { Findings, type ImportFile, type ImportedPin, lineAt, placeOf } from './found.ts';

/** Throws for what is no such file. */
export function readAndroid(file: ImportFile): Findings {
  const found = new Findings();
  const root = parseXml(file.text).find(({ name }) => name === 'network-security-config');
  if (root === undefined) throw new Error('this is no network-security-config');
  for (const element of root.children) readConfig(element, undefined, file, found);
  noteExemptions(root, file, found);
  return found;
}

interface PinSet {
  readonly pins: readonly ImportedPin[];
  readonly expiration: string | undefined;
  readonly line: number;
}

function readConfig(element: Element, inherited: PinSet | undefined, file: ImportFile, found: Findings): void {
  const line = lineAt(file.text, element.at);
  if (element.name === 'base-config' || element.name === 'debug-overrides') {
    return found.note(file, line, `<${element.name}> has no pins: nothing is taken over of it`);
  }
  if (element.name !== 'domain-config') return found.note(file, line, `<${element.name}> is not known`);
  const own = element.children.find(({ name }) => name === 'pin-set');
  const pinSet = own === undefined ? inherited : readPinSet(own, file, found);
  if (element.attributes['cleartextTrafficPermitted'] !== undefined) {
    found.note(file, line, 'cleartextTrafficPermitted is not about certificates: it is not taken over');
  }
  const hosts = element.children.filter(({ name }) => name === 'domain').map(hostOf);
  if (pinSet !== undefined && pinSet.pins.length > 0 && hosts.length > 0) {
    found.pinsets.push({
      name: hosts[0]!.replace(/^\*\*\./, ''),
      hosts,
      pins: pinSet.pins,
      expires: pinSet.expiration,
      comments: [
        placeOf(file, line),
        ...(own === undefined ? [`its pin-set is that of line ${pinSet.line}`] : []),
        ...(pinSet.expiration === undefined ? [] : ['after "expires" what does not match is let pass and logged']),
      ],
    });
  }
  for (const child of element.children) {
    if (child.name === 'domain-config') readConfig(child, pinSet, file, found);
    else if (child.name === 'trust-anchors') noteTrustAnchors(child, file, found);
    else if (child.name !== 'domain' && child.name !== 'pin-set') {
      found.note(file, lineAt(file.text, child.at), `<${child.name}> is not taken over`);
    }
  }
}

function readPinSet(element: Element, file: ImportFile, found: Findings): PinSet {
  const pins: ImportedPin[] = [];
  const line = lineAt(file.text, element.at);
  const expiration = element.attributes['expiration'];
  const isDate = expiration === undefined || parseDate(expiration) !== undefined;
  if (!isDate) found.note(file, line, `expiration="${expiration}" is not a date: it is left out`);
  for (const { name, attributes, text, at } of element.children) {
    const where = lineAt(file.text, at);
    const digest = attributes['digest'] ?? '';
    const parsed = parsePin(`sha256/${text}`);
    if (name !== 'pin') found.note(file, where, `<${name}> is not taken over`);
    else if (!/^SHA-?256$/i.test(digest))
      found.note(file, where, `a pin with the digest "${digest}" cannot be taken over`);
    else if ('error' in parsed) found.note(file, where, `"${text}": ${parsed.error}`);
    else pins.push({ pin: `sha256/${text}` });
  }
  return { pins, expiration: isDate ? expiration : undefined, line };
}

function noteTrustAnchors(element: Element, file: ImportFile, found: Findings): void {
  const overrides = element.children.some(({ attributes }) => attributes['overridePins'] === 'true');
  const what = overrides ? 'trust-anchors with overridePins let some certificates pass unpinned: ' : 'trust-anchors: ';
  found.note(
    file,
    lineAt(file.text, element.at),
    `${what}not taken over; "checks": { "trust": "bundle.pem" } asks for a trusted path`,
  );
}

/** Of several configurations Android takes the longest domain: one without pins exempts what it names. */
function noteExemptions(root: Element, file: ImportFile, found: Findings): void {
  const pinned = new Set(found.pinsets.flatMap(({ hosts }) => hosts));
  const wide = [...pinned].filter((host) => host.startsWith('**.'));
  const visit = (element: Element): void => {
    for (const domain of element.children.filter(({ name }) => name === 'domain')) {
      const host = hostOf(domain);
      const plain = host.replace(/^\*\*\./, '');
      const over = wide.find((one) => plain.endsWith(one.slice(2)));
      if (pinned.has(host) || over === undefined) continue;
      found.note(
        file,
        lineAt(file.text, domain.at),
        `${plain} has no pins of its own and is not exempt here: "${over}" holds for it too`,
      );
    }
    for (const child of element.children) if (child.name === 'domain-config') visit(child);
  };
  visit(root);
}

function hostOf({ text, attributes }: Element): string {
  return (attributes['includeSubdomains'] === 'true' ? '**.' : '') + text.toLowerCase();
}

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly Element[];
  /** Offset of its tag. */
  readonly at: number;
}

/** Throws, with the line where it is known. */
function parseXml(text: string): Element[] {
  if (/<!DOCTYPE/i.test(text.replace(/<!--[\s\S]*?-->/g, '')))
    throw new Error('a document type is not read: take it out');
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
    parseAttributeValue: false,
    captureMetaData: true,
  });
  try {
    return elementsOf(parser.parse(text, true) as RawNode[]);
  } catch (error) {
    throw new Error(`this is no XML that can be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** As the parser gives them: one key that is the name, and `:@` for attributes. */
type RawNode = Record<string, unknown> & { readonly ':@'?: Readonly<Record<string, string>> };

function elementsOf(nodes: readonly RawNode[], depth = 1): Element[] {
  if (depth > DEEPEST) throw new Error(TOO_DEEP);
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@' && key !== '#text' && !key.startsWith('?'));
    if (name === undefined) return [];
    const inside = node[name] as RawNode[];
    const text = inside.map((child) => (typeof child['#text'] === 'string' ? child['#text'] : '')).join('');
    const { startIndex } = (node as Record<symbol, { startIndex?: number }>)[META] ?? {};
    return [
      {
        name,
        attributes: node[':@'] ?? {},
        text: text.trim(),
        children: elementsOf(inside, depth + 1),
        at: startIndex ?? 0,
      },
    ];
  });
}

const META = XMLParser.getMetaDataSymbol() as symbol;
