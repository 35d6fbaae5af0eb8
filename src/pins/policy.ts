/**
 * The compiled configuration: plain data that survives `postMessage`, so that the packet threads need neither the
 * schema nor the file. `compile.ts` makes it, `snapshot.ts` builds its indexes in each thread.
 */
import type { Limits } from './limits.ts';

export type VerdictAction = 'accept' | 'drop' | 'reset' | 'tls-alert';

export interface CompiledVerdict {
  readonly action: VerdictAction;
  /** Written in addition to the engine's own bits; never overlaps them. */
  readonly connmark: { readonly value: number; readonly mask: number } | null;
}

export type PinKind =
  'cert-sha1' | 'cert-sha256' | 'cert-sha512' | 'spki-sha256' | 'spki-sha512' | 'key' | 'cert' | 'spki';
export type PinPlace = 'leaf' | 'ca' | 'path' | 'any';

export interface CompiledPin {
  /** The canonical spelling, as the log shows it. */
  readonly canonical: string;
  readonly kind: PinKind;
  /**
   * What a presented certificate is compared with: lower-case hex of the digest for the hash kinds and (SHA-256 of the
   * bytes) for `cert` and `spki`; `rsa:<hex>`, `ec:<hex>`, … for `key`.
   */
  readonly key: string;
  readonly at: PinPlace;
  readonly role: 'primary' | 'backup';
  /** Milliseconds since the epoch. */
  readonly notBefore: number | null;
  readonly expires: number | null;
  /** The certificate itself where it was given whole: it closes a path whose root is not sent. */
  readonly der: Uint8Array | null;
  /** The list that it is an entry of; absent where it is written in the document itself. */
  readonly list?: string | undefined;
}

export interface AddressRange {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly prefix: number;
}

export interface SignedPinsPolicy {
  /** Its signature is there with .minisig behind its path. */
  readonly url: string;
  /** What the signature has to call it. */
  readonly name: string;
  /** Lines of minisign's public keys. */
  readonly trustedKeys: readonly string[];
  /** Where it is kept. */
  readonly file: string;
  /** Milliseconds between two looks. */
  readonly every: number;
  /** PEM of who vouches for the web server; null: whom Node trusts. */
  readonly ca: string | null;
}

export interface CompiledMatch {
  /** Lower-case patterns: exact, `*.x`, `**.x`; empty when the match names no hosts. */
  readonly hosts: readonly string[];
  /** Patterns of those that are not meant, whatever `hosts` says. */
  readonly exempt: readonly string[];
  readonly addresses: readonly AddressRange[];
  /** Inclusive ranges; empty: any port. */
  readonly ports: readonly (readonly [number, number])[];
  readonly clients: readonly AddressRange[];
}

export type Decision = 'accept' | 'deny';

/** Where the evidence comes from when the certificate is encrypted; `-else-` is what follows when it does not come. */
export type HiddenCertificate = 'probe' | 'probe-else-accept' | 'keylog' | 'keylog-else-probe' | Decision;

/** What is done where no certificate can decide. `deny` applies `onMismatch`. */
export interface Situations {
  readonly tls13: HiddenCertificate;
  readonly resumed: 'bound' | 'bound-else-probe' | Decision;
  readonly earlyData: 'hold' | Decision;
  readonly noSni: Decision;
  readonly ech: 'outer-name' | Decision;
  readonly rawPublicKey: 'pin' | 'accept' | 'deny';
  readonly anonymous: Decision;
  readonly psk: Decision;
  readonly notTls: Decision;
  readonly starttls: 'inspect' | Decision;
  readonly quic: 'reject' | 'drop' | 'accept';
  readonly midstream: Decision;
  readonly parseError: Decision;
  readonly incomplete: Decision;
  readonly overload: Decision;
  readonly checks: Checks;
}

export interface Checks {
  readonly name: 'auto' | 'on' | 'off';
  readonly validity: 'auto' | 'on' | 'off';
  readonly proofOfPossession: 'require' | 'report' | 'off';
  /** Wire value, such as 0x0303; 0: none. */
  readonly minVersion: number;
  /** DER of the trusted certificates; empty: no trust check. */
  readonly trust: readonly Uint8Array[];
}

export interface CompiledPinset {
  readonly name: string;
  /** Position in the file: stable identity within one configuration. */
  readonly index: number;
  readonly match: CompiledMatch;
  /** Empty: a deny list that never takes part in selection, unless it learns. */
  readonly pins: readonly CompiledPin[];
  readonly deny: readonly CompiledPin[];
  /** Names that a certificate may carry besides the effective one (RFC 9525 patterns). */
  readonly names: readonly string[];
  readonly mode: 'enforce' | 'report-only' | 'learn';
  /** What becomes of a host whose keys have been learned; absent: nothing. */
  readonly then?: 'enforce' | undefined;
  /** What it has become for hosts whose keys were learned, by host. Never in a file: whoever learns adds it. */
  readonly learned?: ReadonlyMap<string, CompiledPinset> | undefined;
  /** Names of the tables that hold what is in neither `pins` nor `deny`. Never in a file: `pack.ts` adds it. */
  readonly listed?: { readonly pins: readonly string[]; readonly deny: readonly string[] } | undefined;
  readonly expires: number | null;
  readonly afterExpiry: 'report-only' | 'enforce' | 'deny' | 'accept';
  readonly onMatch: CompiledVerdict;
  readonly onMismatch: CompiledVerdict;
  readonly onDeny: CompiledVerdict;
  readonly situations: Situations;
}

export interface CompiledRule {
  readonly index: number;
  readonly match: CompiledMatch;
  /** xt_sslpin 2.0's `--fpl`, or 1.0's `--pubkey`. */
  readonly test:
    | { readonly kind: 'fpl'; readonly list: string; readonly inverted: boolean }
    | { readonly kind: 'pubkey'; readonly key: string; readonly inverted: boolean };
  readonly verdict: CompiledVerdict;
}

export interface CompiledList {
  readonly id: string;
  readonly writable: boolean;
  /** Absolute path of the file that the entries came from and are written back to; null when there is none. */
  readonly file: string | null;
  /** What bare digests in the file and at run time are; null: told by their length, where it tells. */
  readonly kind: 'cert-sha1' | 'cert-sha256' | 'spki-sha256' | null;
  /** Milliseconds after which the file is stale; absent: it never is. */
  readonly maxAge?: number | undefined;
  /** Pins without place or date: any presented certificate is compared. */
  readonly entries: readonly CompiledPin[];
  /** Names of the tables that hold the other entries. Never in a file: `pack.ts` adds it. */
  readonly listed?: readonly string[] | undefined;
}

export interface ConnmarkLayout {
  readonly mask: number;
  readonly accept: number;
  readonly deny: number;
  readonly pending: number;
  /** The one bit of the packet mark, outside of the mask, by which the rules know a packet whose verdict sets those bits. */
  readonly told: number;
  readonly route: 'auto' | 'verdict' | 'packet-mark';
}

/** How servers are asked in their clients' place. */
export interface ProbePolicy {
  /** Milliseconds from the question to its answer. */
  readonly timeout: number;
  /** Connections at a time. */
  readonly atOnce: number;
  /** Connections a minute to an address and port, and for a client's address. */
  readonly perDestination: number;
  readonly perClient: number;
  /** Milliseconds that certificates, and failures, are remembered. */
  readonly ttl: number;
  readonly negativeTtl: number;
  /** Share of the answers from memory that are checked afterwards by a further probe. */
  readonly recheck: number;
  /** Whether loopback and link-local addresses are probed as well. */
  readonly allowLocal: boolean;
  /** The one bit of the packet mark, and of the connection mark, by which the rules know a probe's packets. */
  readonly mark: number;
  /** Whose address probes leave with. */
  readonly source: ProbeSource;
  /** Gateways of the fleet that have to be shown the same. */
  readonly witnesses: number;
  /** Connections that ask beside a client's at a first contact, none of which is to be told from it. */
  readonly decoys: number;
}

/** `auto`: the client's where that is heard, and the gateway's elsewhere. */
export type ProbeSource = 'client' | 'gateway' | 'auto';

/** Where clients log their secrets (RFC 9850): absolute paths, at the most one of them. */
export interface KeylogPolicy {
  readonly file: string | null;
  readonly socket: string | null;
}

/** Where what servers present is recorded, and how much of it. */
export interface LearnPolicy {
  /** Absolute path; null where nothing learns. */
  readonly file: string | null;
  /** Times that a key has to be seen before it counts as the host's. */
  readonly observations: number;
  /** Seconds between two sightings of a host's key that count. */
  readonly spacing: number;
  /** Hosts that are recorded. Beyond: one that was seen once only goes, if there is one. */
  readonly hosts: number;
  /** Keys of a host that are recorded, and as many issuers. Beyond: the one that was not seen for longest goes. */
  readonly keys: number;
}

/** Where a gateway hears from the others, and whom it believes. Paths are absolute. */
export interface FleetPolicy {
  readonly name: string;
  /** Null: as the host is called. */
  readonly gateway: string | null;
  readonly servers: readonly string[];
  /** Lines of minisign's public keys. */
  readonly trustedKeys: readonly string[];
  readonly spool: string;
  readonly credentials: string | null;
  readonly nkey: string | null;
  readonly tls: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null } | null;
  /** Of what gateways tell each other; null: nothing. */
  readonly key: string | null;
  /** Lists that all have in common. */
  readonly lists: readonly string[];
  /** Which decisions others are told of. */
  readonly share: 'verdicts' | 'denials' | null;
  /** Whether servers are asked here for other gateways. */
  readonly isWitness: boolean;
  /** Whether others are told what was learned here. */
  readonly tellsLearned: boolean;
  /** Gateways that have to have seen a key before hosts are held to it. */
  readonly corroborate: number;
  /** Gateways of one see the world by the same way; null: nobody else does. */
  readonly network: string | null;
  /** Octets of them that may wait. */
  readonly spoolBytes: number;
  /** Pinsets and lists of which the file's own win. */
  readonly local: readonly string[];
  /** Share of the decisions of late that a document may newly deny. */
  readonly refuseAbove: number;
}

/** The link of two gateways of which one takes the place of the other. */
export interface PairPolicy {
  readonly device: string;
  readonly address: string;
  readonly peer: string;
  /** What the other one is called in the fleet; null: nothing is shared with it over that. */
  readonly gateway: string | null;
}

/** What `tlspin rules` would be told. */
export interface KeptRules {
  readonly hooks: readonly ('forward' | 'local')[];
  readonly format: 'iptables' | 'nft';
  readonly quic: boolean;
  readonly queueUdp: boolean;
  readonly queueBypass: boolean;
}

/** Where records of the log go. */
export type LogTarget =
  /** An absolute path, or `-` for standard output. */
  { readonly kind: 'file'; readonly path: string } | SyslogTarget | TransportTarget;

/** How syslog has records. */
export interface SyslogForm {
  /** RFC 5424 §6.2.1. */
  readonly facility: number;
  readonly format: 'local' | 'rfc5424';
}

export interface SyslogTarget extends SyslogForm {
  readonly kind: 'syslog';
  /** Absolute path of the unix socket that a syslog daemon reads datagrams from. */
  readonly socket: string;
}

/** A transport of pino, or several, each of which has what the one before it makes. */
export interface TransportTarget {
  readonly kind: 'transport';
  readonly stages: readonly { readonly target: string; readonly options: Readonly<Record<string, unknown>> }[];
  /** The folder that packages are looked for from. */
  readonly folder: string;
  /** Absent: it has records as lines of JSON. */
  readonly syslog?: SyslogForm | undefined;
}

/** Where a server listens. */
export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

export interface Policy {
  /** `sha256:<hex>` of the document as read. */
  readonly hash: string;
  readonly pinsets: readonly CompiledPinset[];
  readonly rules: readonly CompiledRule[];
  readonly lists: readonly CompiledList[];
  /** Situations of flows that a host pinset might still have selected, and of those that none selects. */
  readonly pinned: Situations;
  readonly unpinned: Situations;
  /** What `deny` means where no pinset was selected. */
  readonly onMismatch: CompiledVerdict;
  readonly connmark: ConnmarkLayout;
  readonly limits: Limits;
  readonly probe: ProbePolicy;
  readonly keylog: KeylogPolicy;
  readonly learn: LearnPolicy;
  /** Ports that the rules send to the queue: the configured ones and those that pinsets and rules name. */
  readonly ports: readonly (readonly [number, number])[];
  readonly log: {
    readonly unpinned: boolean;
    readonly certificates: 'pins' | 'full';
    /** Seconds between two records of the counters; 0: none. */
    readonly stats: number;
    /** Where records go; absent: it does not say. */
    readonly to?: readonly LogTarget[] | undefined;
  };
  readonly control: { readonly socket: string | null; readonly mode: number };
  /** Where metrics are to be had; absent: nowhere. */
  readonly metrics?: { readonly listen: ListenAddress } | undefined;
  /** From where signed pins are had; absent: from nowhere. */
  readonly pins?: SignedPinsPolicy | undefined;
  /** Absent: it is alone. */
  readonly fleet?: FleetPolicy | undefined;
  /** Absent: nobody takes its place. */
  readonly pair?: PairPolicy | undefined;
  /** Whom to become; null: to stay. */
  readonly user: string | null;
  /** How netfilter's rules are put in place again; absent: they are not. */
  readonly keptRules?: KeptRules | undefined;
  readonly queues: readonly [number, number];
  readonly failOpen: boolean;
  readonly allowOffload: boolean;
}
