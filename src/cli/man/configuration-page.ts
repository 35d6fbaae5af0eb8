/**
 * tlspin.json(5): the manual page of configuration files, made of the schema that they are held to: every key with its
 * values, its meaning and what holds where it is left out, each situation, and every way to write a pin.
 */
import { situationDefault, SITUATION_NAMES } from '../../pins/document/situation-values.ts';
import { configurationJsonSchema } from '../../pins/document/schema.ts';
import { PIN_SPELLINGS } from '../../pins/document/spellings.ts';
import { bold, escaped, example, italic, page, type Section, tagged, text } from './roff.ts';

export function configurationPage(version: string, date: string): string {
  const root = configurationJsonSchema() as Node;
  const pinset = root.properties!['pinsets']!.items!;
  return page(
    ['TLSPIN.JSON', '5', date, `tlspin ${version}`, 'File Formats'],
    [
      ['NAME', [`tlspin.json \\- ${escaped('configuration of tlspin(1): which servers have to show which keys')}`]],
      ['DESCRIPTION', DESCRIPTION.flatMap((line) => ['.PP', text(line)]).slice(1)],
      ['EXAMPLE', example(EXAMPLE)],
      ['KEYS', keysOf(root)],
      ['PINSETS', keysOf(pinset)],
      ['PINS', pinLines(pinset)],
      ['SITUATIONS', situationLines(pinset)],
      ...sectionsOf(root, pinset),
      ['SEE ALSO', ['.BR tlspin (1),', '.BR tlspin\\-check (1),', '.BR tlspin\\-pin (1),', '.BR tlspin\\-import (1)']],
    ],
  );
}

/** As much of JSON Schema as is used. */
interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Node | false;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
}

/** One section for each object that has keys of its own. */
function sectionsOf(root: Node, pinset: Node): Section[] {
  const { lists, rules, ...others } = root.properties!;
  const kept = rules!.anyOf?.find(({ properties }) => properties !== undefined);
  const list = lists!.additionalProperties;
  return [
    ['MATCHES', keysOf(pinset.properties!['match']!)],
    ['CHECKS', keysOf(pinset.properties!['checks']!)],
    ['LISTS', list === undefined || list === false ? [] : keysOf(list)],
    [
      'RULES',
      [...keysOf(rules!.anyOf![0]!.items!), ...(kept === undefined ? [] : ['.PP', text(KEPT), ...keysOf(kept)])],
    ],
    ...Object.entries(others).flatMap(([key, node]): Section[] =>
      node.properties === undefined || HAVE_SITUATIONS.has(key)
        ? []
        : [[key.toUpperCase(), [...keysWithin(node), ...(key === 'log' ? destinationLines(node) : [])]]],
    ),
  ];
}

function destinationLines({ properties }: Node): string[] {
  const service = properties!['to']!.anyOf!.find((node) => node.properties !== undefined)!;
  return ['.PP', text(DESTINATIONS), ...keysWithin(service)];
}

/** Those of the objects in it as well. */
function keysWithin(node: Node): string[] {
  const inner = Object.entries(node.properties ?? {}).filter(([, each]) => each.properties !== undefined);
  return [...keysOf(node), ...inner.flatMap(([key, each]) => ['.PP', text(`In ${key}:`), ...keysOf(each)])];
}

/** What has a section of its own is told there. */
function keysOf({ properties = {}, required = [] }: Node): string[] {
  const isSituations = SITUATION_NAMES.every((name) => name in properties);
  const own = Object.entries(properties).filter(([key]) => !isSituations || !TOLD_BELOW.has(key));
  const lines = own.flatMap(([key, node]) => {
    const isNeeded = required.includes(key) && key !== 'version';
    return tagged(`${bold(key)} ${escaped(valuesOf(node))}`, aboutNode(node, isNeeded));
  });
  return isSituations ? [...lines, ...tagged(italic('a situation, checks'), 'See SITUATIONS and CHECKS.')] : lines;
}

function aboutNode(node: Node, isNeeded: boolean): string {
  const inherited = node.description ?? node.items?.description ?? '';
  const about = inherited.replace(/\s+/g, ' ');
  const rest = node.default === undefined ? '' : ` Default: ${shown(node.default)}.`;
  return `${about}${rest}${isNeeded ? ' Has to be given.' : ''}`.trim() || 'See the section of that name.';
}

/** Such as `"accept" | "deny"`, `1..65535`, `[text, ...]`. */
function valuesOf(node: Node): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (node.anyOf !== undefined) return [...new Set(node.anyOf.map(valuesOf))].join(' | ');
  switch (node.type) {
    case 'array':
      return `[${node.items === undefined ? '' : valuesOf(node.items)}, ...]`;
    case 'object':
      return '{...}';
    case 'integer':
    case 'number':
      return rangeOf(node);
    case 'boolean':
      return 'true | false';
    default:
      return 'text';
  }
}

function rangeOf({ minimum, maximum }: Node): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return isBounded ? `${minimum ?? 0}..${maximum}` : minimum === undefined ? 'number' : `${minimum} or more`;
}

function pinLines(pinset: Node): string[] {
  const forms = pinset.properties!['pins']!.items!.anyOf!;
  const spellings = PIN_SPELLINGS.flatMap(({ form, meaning }) => tagged(bold(form), `${meaning}.`));
  const keys = Object.assign({}, ...forms.map(({ properties }) => properties ?? {})) as Record<string, Node>;
  return [text(PINS), ...spellings, '.PP', text(PIN_OBJECTS), ...keysOf({ properties: keys })];
}

function situationLines(pinset: Node): string[] {
  const each = SITUATION_NAMES.flatMap((name) => {
    const node = pinset.properties![name]!;
    const defaults = `Default: ${situationDefault(name, 'pinned')} where pinned, ${situationDefault(name, 'unpinned')} elsewhere.`;
    return tagged(`${bold(name)} ${escaped(valuesOf(node))}`, `${node.description ?? ''} ${defaults}`);
  });
  return [text(SITUATIONS), ...each];
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Sections that hold nothing but situations and checks. */
const HAVE_SITUATIONS: ReadonlySet<string> = new Set(['pinned', 'unpinned']);
const TOLD_BELOW: ReadonlySet<string> = new Set([...SITUATION_NAMES, 'checks']);
const DESCRIPTION = [
  'JSON in UTF-8, with comments (// and /* */) and trailing commas where they are wanted. Keys that are not known are errors, and so is a key that is given twice.',
  'Only version is needed. Files are found relative to the file that names them. `tlspin check FILE` says everything that is wrong, each with its line and column; `tlspin check --schema` prints the JSON Schema of all of this, for editors.',
];
const EXAMPLE = [
  '{',
  '  "version": 1,',
  '  "include": "pinsets.d",',
  '  "pinsets": [',
  '    {',
  '      "name": "bank",',
  '      "match": { "hosts": ["www.bank.example", "*.bank.example"] },',
  '      "pins": ["sha256//5lHR...=", { "pin": "sha256//wyJT...=", "role": "backup" }],',
  '    },',
  '  ],',
  '}',
];
const PINS =
  'A pin is a text in one of these spellings. It holds for the leaf, or for a certificate on the verified path from it, never for whatever else a server sends along.';
const PIN_OBJECTS = 'Or it is an object, which says more of it:';
const SITUATIONS =
  'What is done where no certificate can decide. They stand in a pinset, or in pinned for all pinsets, and in unpinned for all other flows. deny does what onMismatch says.';
const DESTINATIONS = 'A place in to is the path of a file, "-" for standard output, or an object:';
const KEPT = 'Or rules is an object, which says how those of netfilter are kept:';
