/**
 * What is wrong with the shape of a configuration, in words: each of zod's issues becomes sentences with the cure, at
 * the place where it is; and what is wrong is taken out, so that the rest can be looked at in the same run.
 */
import type { z } from 'zod';
import { nearest } from './message.ts';
import type { Path } from './message.ts';
import { configurationJsonSchema, configurationSchema, includedSchema } from './schema.ts';
import type { Configuration } from './schema.ts';

export interface ShapeError {
  readonly path: Path;
  /** Whether the key at the path is at fault, rather than its value. */
  readonly atKey: boolean;
  readonly text: string;
}

export interface Shape {
  readonly errors: readonly ShapeError[];
  /**
   * What remains when everything that is wrong is taken out: values are missing, and list elements null, where they
   * were wrong. Null when nothing remains.
   */
  readonly configuration: Configuration | null;
}

/** `isIncluded`: of a file that another one includes. */
export function readShape(value: unknown, isIncluded = false): Shape {
  const result = (isIncluded ? includedSchema : configurationSchema).safeParse(value);
  if (result.success) return { errors: [], configuration: result.data };
  const errors = result.error.issues.flatMap((issue) => explain(issue, [], value, isIncluded));
  if (!isObject(value)) return { errors, configuration: null };
  const rest = structuredClone(value);
  for (const { path } of errors) takeOut(rest, path);
  return { errors, configuration: { ...rest, version: 1 } as unknown as Configuration };
}

type Issue = z.core.$ZodIssue;

function explain(issue: Issue, parent: Path, document: unknown, isIncluded: boolean): ShapeError[] {
  const path: Path = [...parent, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))];
  const value = valueAt(document, path);
  const here = (text: string): ShapeError[] => [{ path, atKey: false, text: `${label(path)} ${text}` }];
  if (value === undefined && issue.code !== 'unrecognized_keys') return here('is missing');
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], atKey: true, text: unknownKey(path, key, isIncluded) }));
    case 'invalid_union':
      return explainUnion(issue.errors as Issue[][], path, value, (branch) =>
        explain(branch, path, document, isIncluded),
      );
    case 'invalid_type':
      return here(`must be ${typeName(issue.expected)}, not ${kindOf(value)}`);
    case 'invalid_value':
      return here(`must be ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}, not ${shown(value)}`);
    case 'too_small':
      // Of what is no list at all that is said.
      if (isObject(value)) return [];
      return here(Array.isArray(value) ? 'is an empty list: leave it out' : `must be ${issue.minimum} or more`);
    case 'too_big':
      return here(
        typeof value === 'string' ? `must not be longer than ${issue.maximum}` : `must be ${issue.maximum} or less`,
      );
    default:
      return here(`is wrong: ${issue.message}`);
  }
}

/** Of the forms that a value may take, the one that it was most likely meant to be is explained. */
function explainUnion(
  branches: Issue[][],
  path: Path,
  value: unknown,
  explainIn: (issue: Issue) => ShapeError[],
): ShapeError[] {
  const wrongType = (branch: Issue[]) =>
    branch.some(
      (i) => i.path.length === 0 && (i.code === 'invalid_type' || (i.code === 'invalid_value' && isObject(value))),
    );
  const candidates = branches.filter((branch) => !wrongType(branch));
  if (candidates.length === 0) {
    const types = branches.flat().flatMap((i) => (i.code === 'invalid_type' ? [typeName(i.expected)] : []));
    return [
      { path, atKey: false, text: `${label(path)} must be ${[...new Set(types)].join(' or ')}, not ${kindOf(value)}` },
    ];
  }
  const weight = (branch: Issue[]) => branch.length + 10 * branch.filter((i) => i.code === 'unrecognized_keys').length;
  const [best] = candidates.sort((a, b) => weight(a) - weight(b));
  return best!.flatMap(explainIn);
}

function unknownKey(path: Path, key: string, isIncluded: boolean): string {
  const known = isIncluded && path.length === 0 ? Object.keys(includedSchema.shape) : keysAt(path);
  const near = nearest(key, known);
  return `unknown key "${key}"${near === undefined ? `: ${list(known)} are known here` : `: did you mean "${near}"?`}`;
}

let jsonSchema: SchemaNode | undefined;

/** The keys that the schema knows at a place. */
function keysAt(path: Path): string[] {
  jsonSchema ??= configurationJsonSchema() as SchemaNode;
  let nodes = [jsonSchema];
  for (const key of path) {
    nodes = nodes.flatMap(alternatives).flatMap((node) => {
      const next = typeof key === 'number' ? node.items : (node.properties?.[key] ?? node.additionalProperties);
      return next ? [next] : [];
    });
  }
  return [...new Set(nodes.flatMap(alternatives).flatMap((node) => Object.keys(node.properties ?? {})))];
}

interface SchemaNode {
  readonly properties?: Record<string, SchemaNode>;
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly anyOf?: SchemaNode[];
}

function alternatives(node: SchemaNode): SchemaNode[] {
  return node.anyOf === undefined ? [node] : node.anyOf.flatMap(alternatives);
}

/** Removes what is at the path, or the list element around it where something is missing. */
function takeOut(document: unknown, path: Path): void {
  if (path.length === 0) return;
  if (valueAt(document, path) === undefined) {
    const element = path.findLastIndex((key) => typeof key === 'number');
    if (element >= 0 && isPresent(valueAt(document, path.slice(0, element + 1))))
      takeOut(document, path.slice(0, element + 1));
    return;
  }
  const key = path.at(-1)!;
  const parent = valueAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent[Number(key)] = null;
  else if (isObject(parent)) delete parent[key];
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) at = at === null || typeof at !== 'object' ? undefined : (at as Record<string, unknown>)[key];
  return at;
}

function label(path: Path): string {
  const key = path.at(-1);
  if (key === undefined) return 'the document';
  return typeof key === 'number' ? `${label(path.slice(0, -1))}[${key}]` : `"${key}"`;
}

function typeName(expected: string): string {
  const names: Record<string, string> = {
    array: 'a list',
    record: 'an object',
    object: 'an object',
    int: 'a whole number',
  };
  return names[expected] ?? `a ${expected}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isInteger(value)) return 'a fraction';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  return typeof value === 'object' ? kindOf(value) : JSON.stringify(value);
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isObject(value: unknown): value is Record<string | number, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
