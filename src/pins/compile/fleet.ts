/** The section `fleet`. What it names is looked for when it is needed: a check of the file may be elsewhere. */
import type { ReferredFiles } from '../document/files.ts';
import type { Path, Reporter } from '../document/message.ts';
import type { FleetPolicy, Policy } from '../policy.ts';
import type { Configuration } from '../document/schema.ts';
import type { FleetSource } from '../document/schema/fleet.ts';
import type { ListSource } from '../document/schema/lists.ts';
import { elements } from '../document/elements.ts';
import { parsePublicKey } from '../../minisign/keys.ts';

export function compileFleet(
  source: Partial<FleetSource> | undefined,
  files: ReferredFiles,
  report: Reporter,
): Pick<Policy, 'fleet'> {
  // What was wrong in itself has been said.
  if (source?.name === undefined || source.spool === undefined) return {};
  const path = (name: string | undefined) => (name === undefined ? null : files.path(name));
  const { name, gateway, credentials, nkey, tls } = source;
  reportNames(source, report);
  if (credentials !== undefined && nkey !== undefined) {
    report.error(['fleet', 'nkey'], 'a gateway shows "credentials" or an "nkey": leave one of them out');
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined)) {
    report.error(['fleet', 'tls'], '"cert" and "key" belong together: give both, or neither');
  }
  reportKeyless(source, report);
  const fleet: FleetPolicy = {
    name,
    gateway: gateway ?? null,
    servers: [...elements(source.servers)].flatMap(([index, server]) => serverAt(server, index, report)),
    trustedKeys: [...elements(source.trustedKeys)].flatMap(([index, key]) => keyAt(key, index, report)),
    spool: files.path(source.spool),
    credentials: path(credentials),
    nkey: path(nkey),
    tls: tls === undefined ? null : { ca: path(tls.ca), cert: path(tls.cert), key: path(tls.key) },
    key: path(source.key),
    lists: [...elements(source.lists)].map(([, id]) => id),
    share: sharedDecisions(source.share),
    isWitness: shares(source, 'probes'),
    tellsLearned: shares(source, 'learned'),
    corroborate: source.corroborate ?? 1,
    network: source.network ?? null,
    spoolBytes: source.spoolBytes ?? 67_108_864,
    local: [...elements(source.local)].map(([, each]) => each),
    refuseAbove: source.refuseAbove ?? 0.01,
  };
  return { fleet };
}

/** What is written in the document is no gateway's to change. */
export function reportSharedLists({ fleet, lists = {} }: Configuration, report: Reporter): void {
  for (const [index, id] of elements(fleet?.lists)) {
    const why = unsharable(id, Object.hasOwn(lists, id) ? lists[id] : undefined);
    if (why !== undefined) report.error(['fleet', 'lists', index], why);
  }
}

export function reportWitnesses({ probe, fleet }: Configuration, report: Reporter): void {
  if ((probe?.witnesses ?? 0) === 0 || fleet?.key !== undefined) return;
  const what = 'witnesses are other gateways of a fleet: add "fleet", with a "key" that they have in common';
  report.error(['probe', 'witnesses'], what);
}

export function reportCorroborated({ learn, fleet }: Configuration, report: Reporter): void {
  if (learn !== undefined || fleet === undefined) return;
  const where: Path = fleet.corroborate === undefined ? ['fleet', 'share'] : ['fleet', 'corroborate'];
  if (fleet.corroborate === undefined && !shares(fleet, 'learned')) return;
  report.error(where, 'nothing is learned here: add "learn": { "file": "learned.json" }, or leave this out');
}

function shares({ share }: Pick<Partial<FleetSource>, 'share'>, what: string): boolean {
  return [...elements(share)].some(([, each]) => each === what);
}

function unsharable(id: string, list: ListSource | undefined): string | undefined {
  if (!/^[\w-]{1,64}$/.test(id)) return `"${id}" cannot be shared: its name has to be of letters, digits, - and _`;
  if (list === undefined) return `there is no list "${id}" to be shared`;
  if (list.writable !== true) return `the list "${id}" is not writable: set "writable": true in it`;
  if (list.entries === undefined) return undefined;
  return `the list "${id}" has "entries", which cannot be changed at run time: put them into its file`;
}

function reportKeyless(source: Partial<FleetSource>, report: Reporter): void {
  const { key, lists = [], share = [], corroborate = 1 } = source;
  const what = lists.length > 0 ? 'lists' : share.length > 0 ? 'share' : corroborate > 1 ? 'corroborate' : undefined;
  if (key !== undefined || what === undefined) return;
  const cure = 'openssl rand -hex 32 > fleet.key on one gateway, the same file on all, and "key": "fleet.key"';
  report.error(['fleet', what], `what is shared has to be sealed with a key that the gateways have in common: ${cure}`);
}

function sharedDecisions(source: FleetSource['share']): FleetPolicy['share'] {
  const said = [...elements(source)].map(([, each]) => each);
  return said.includes('verdicts') ? 'verdicts' : said.includes('denials') ? 'denials' : null;
}

function reportNames(source: Partial<FleetSource>, report: Reporter): void {
  for (const key of ['name', 'gateway', 'network'] as const) {
    const name = source[key];
    if (name === undefined || /^[\w-]{1,64}$/.test(name)) continue;
    report.error(['fleet', key], `"${name}" is no name: it has 1 to 64 letters, digits, - and _`);
  }
}

function serverAt(server: string, index: number, report: Reporter): string[] {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const isServer = url !== undefined && ['nats:', 'tls:'].includes(url.protocol) && url.hostname !== '';
  if (isServer && url.username === '') return [server];
  const path: Path = ['fleet', 'servers', index];
  report.error(path, `"${server}" is no server: write "nats://HOST:PORT" or "tls://HOST:PORT", without a user`);
  return [];
}

function keyAt(text: string, index: number, report: Reporter): string[] {
  const key = parsePublicKey(text);
  if (!('error' in key)) return [key.line];
  report.error(['fleet', 'trustedKeys', index], key.error);
  return [];
}
