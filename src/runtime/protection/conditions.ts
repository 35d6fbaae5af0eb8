/**
 * The ways in which protection is lost or less than it was configured to be, each under a stable code: how bad it is, what
 * it means, and how to mend it. docs/protection.md has the same table for people. Knows nobody who finds one.
 */

/** `degraded`: what is pinned is still held to its pins, or its operator chose otherwise; `unprotected`: it may not be. */
export type Severity = 'degraded' | 'unprotected';

export interface ConditionKind {
  readonly severity: Severity;
  /** A sentence. */
  readonly meaning: string;
  /** What to do about it. */
  readonly mend: string;
}

export const CONDITIONS = {
  'rules.none': {
    severity: 'unprotected',
    meaning: 'No rule of netfilter sends packets to the queue: connections pass unseen.',
    mend: 'apply the rules (sudo tlspin rules --apply -c FILE), or set "rules": { "keep": true }',
  },
  'rules.partial': {
    severity: 'unprotected',
    meaning: 'The rules leave out what the pins are for (a family, ports, a direction), or what they had before.',
    mend: 'apply the rules again (sudo tlspin rules --apply -c FILE), or reload where it is meant so',
  },
  'rules.bypassed': {
    severity: 'unprotected',
    meaning: 'A rule ahead of the queue lets packets go by that the pins are for, where it fits them.',
    mend: 'take the rule away, or put it behind the ones of tlspin; name the hosts that are meant under "exempt"',
  },
  'rules.changed': {
    severity: 'degraded',
    meaning: "Rules in tlspin's own chains are others than before.",
    mend: 'where it was not you, find out who it was, and apply the rules again (sudo tlspin rules --apply -c FILE); it is told of for half a minute',
  },
  'rules.unreadable': {
    severity: 'degraded',
    meaning:
      'Rules of netfilter cannot be read, or not in time, so nobody knows whether they feed the queue, or lead past it.',
    mend: "install iptables or nftables; rules of iptables' legacy kind are read by tlspin doctor alone, as root: see it, or move them to nf_tables",
  },
  'rules.restored': {
    severity: 'degraded',
    meaning: 'Rules were gone, and tlspin has put them in place again; what began meanwhile went by unseen.',
    mend: 'find out who takes them away',
  },
  'rules.given-up': {
    severity: 'unprotected',
    meaning: 'Rules are gone and could not be put in place again, or were taken away again too often.',
    mend: 'find out who takes them away, and apply them (sudo tlspin rules --apply -c FILE)',
  },
  'offload.found': {
    severity: 'unprotected',
    meaning: 'Flow offload is configured: packets of offloaded connections pass the engine by unseen.',
    mend: 'remove it, or offload only what carries the accept mark and set "allowOffload": true',
  },
  'packets.diverted': {
    severity: 'unprotected',
    meaning: 'Packets are led past the rules: connections pass unseen.',
    mend: 'take that away; where a program of this host is handed them, apply the rules for its own connections too (--hook local)',
  },
  'packets.programmed': {
    severity: 'degraded',
    meaning: 'A program in the kernel has packets ahead of the rules; nobody knows whether it leads some past them.',
    mend: 'see that it lets all packets of pinned clients pass to the stack, or take it away',
  },
  'bridge.unseen': {
    severity: 'unprotected',
    meaning: 'What goes from one port of a bridge to another passes the rules by: connections pass unseen.',
    mend: 'modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1; where nobody pinned is behind the bridge, reload',
  },
  'quic.unseen': {
    severity: 'degraded',
    meaning:
      'QUIC is neither refused nor queued, though pinsets ask for it: clients reach pinned servers by it unseen.',
    mend: 'apply the rules without --no-quic, or with --queue-udp; where it is meant so, say "quic": "accept" in the pinsets',
  },
  'conntrack.liberal': {
    severity: 'unprotected',
    meaning: 'Connection tracking lets segments outside of the window pass, which a client may take.',
    mend: 'sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=0',
  },
  'marks.accepting': {
    severity: 'unprotected',
    meaning: "Another program's rule gives connections the mark by which they count as accepted.",
    mend: 'take the rule away, or choose other bits ("connmark")',
  },
  'marks.overwritten': {
    severity: 'degraded',
    meaning:
      "Another program's rule writes the engine's bits of connection marks: decisions are forgotten, or old ones come back.",
    mend: 'give the rule a mask without those bits, or choose others ("connmark")',
  },
  'marks.given': {
    severity: 'degraded',
    meaning:
      'A program has given connections that were not accepted here the mark of those that were (conntrack -U): nothing looks at them.',
    mend: 'nothing where tlspin rules did that as it went live; otherwise find out who does it, and end those connections (conntrack -D)',
  },
  'marks.unheard': {
    severity: 'degraded',
    meaning:
      'The kernel does not tell of marks that programs give to connections without a rule (conntrack -U): that would go unseen.',
    mend: 'sysctl -w net.netfilter.nf_conntrack_events=1',
  },
  'queue.full': {
    severity: 'degraded',
    meaning: 'The kernel drops packets because the queue is full: connections are slow, or fail.',
    mend: 'use more queues ("queues": "0:3"), or find out who floods',
  },
  'queue.buffer': {
    severity: 'degraded',
    meaning: "The kernel drops packets because the queue's receive buffer is full: connections are slow, or fail.",
    mend: 'raise net.core.rmem_max, or use more queues',
  },
  'queue.fail-open': {
    severity: 'unprotected',
    meaning: 'The queue is overrun and `failOpen` is set: packets pass unseen.',
    mend: 'use more queues, or set "failOpen": false',
  },
  'queue.deaf': {
    severity: 'unprotected',
    meaning: 'The kernel puts packets into the queue and none arrives: nothing is decided.',
    mend: 'restart tlspin',
  },
  'log.lost': {
    severity: 'degraded',
    meaning: 'Records of the log are lost or cannot be written; decisions are made as before.',
    mend: "see to the log's disk or reader, or raise limits.logBacklog",
  },
  'pinset.expired': {
    severity: 'unprotected',
    meaning: 'A pinset is past its own date, and its `afterExpiry` lets everything pass.',
    mend: 'give it pins and a date that hold, and reload',
  },
  'pinset.expired-denies': {
    severity: 'degraded',
    meaning: 'A pinset is past its own date, and its `afterExpiry` denies everything.',
    mend: 'give it pins and a date that hold, and reload',
  },
  'pinset.no-pins': {
    severity: 'degraded',
    meaning: 'No pin of a pinset is within its dates: everything that it is for is denied.',
    mend: 'give it pins that hold, and reload',
  },
  'pinset.report-only': {
    severity: 'degraded',
    meaning: 'Pinsets report or learn only, as configured: what they are for passes, whatever it shows.',
    mend: 'set "mode": "enforce" once the log shows that nothing genuine would be denied',
  },
  'pin.backup': {
    severity: 'degraded',
    meaning: 'A server was accepted by a backup pin: its key has changed, and there is none in reserve.',
    mend: 'make that pin the primary one, add a new backup, and reload',
  },
  'list.stale': {
    severity: 'degraded',
    meaning: "A list's file is older than its `maxAge`; what is in force stays.",
    mend: 'fetch it anew, and reload',
  },
  'pins.missing': {
    severity: 'unprotected',
    meaning: 'Signed pins were never had: nothing of them is in force.',
    mend: 'see that the web server of "pins" can be reached from here, and has what it is asked for',
  },
  'pins.stale': {
    severity: 'degraded',
    meaning: 'The signed pins in force are past their end, and no newer ones are to be had; they stay in force.',
    mend: 'sign them again (tlspin fleet sign), and put them on the web server',
  },
  'pins.unreachable': {
    severity: 'degraded',
    meaning: 'The web server of the signed pins cannot be asked; what is in force stays.',
    mend: 'see that it can be reached from here, and has the document and its .minisig',
  },
  'pins.refused': {
    severity: 'degraded',
    meaning: 'What the web server has as signed pins is refused; what is in force stays.',
    mend: 'find out who put it there; sign what is meant again, with a key that is trusted',
  },
  'probe.exhausted': {
    severity: 'degraded',
    meaning: 'More servers were to be asked than the limits of probes allow: connections are denied for it.',
    mend: 'raise the limits of "probe", or find out who asks for so much',
  },
  'probe.unbridged': {
    severity: 'degraded',
    meaning:
      'Probes of clients behind a bridge have no way to their servers: where a server would be asked, the connection is denied.',
    mend: 'see tlspin ctl status ("over a bridge"): apply the rules again; start tlspin with CAP_NET_RAW and /dev/net/tun; or give the bridge an address and a route',
  },
  'probe.unmarked': {
    severity: 'degraded',
    meaning: 'Probes cannot be marked, so none is sent: where a server would be asked, the connection is denied.',
    mend: 'give tlspin CAP_NET_ADMIN',
  },
  'reload.refused': {
    severity: 'degraded',
    meaning: 'The configuration could not be loaded again: the one before stays in force.',
    mend: 'see tlspin check FILE, and reload',
  },
  'fleet.unreachable': {
    severity: 'degraded',
    meaning: 'No server of the fleet can be reached: what is in force stays, and changes do not arrive.',
    mend: 'see to the servers, the way to them, and the credentials',
  },
  'fleet.refused': {
    severity: 'degraded',
    meaning: 'A document of the fleet was refused: what is in force stays.',
    mend: 'see tlspin fleet status, and push one that can be taken; where nobody pushed it, find out who writes to the servers',
  },
  'fleet.unkept': {
    severity: 'degraded',
    meaning:
      'A document of the fleet is in force and cannot be written to disk: a restart goes back to the one before.',
    mend: 'see to the folder of "spool" and its disk; it is tried again by itself',
  },
  'fleet.list': {
    severity: 'degraded',
    meaning: 'A list cannot be shared with the fleet, or not be changed here as others have changed it.',
    mend: "see that all gateways have the same key of lists, and that the list's file can be written",
  },
  'fleet.verdicts': {
    severity: 'degraded',
    meaning: 'Decisions do not get to the fleet, or some never will; they are made, and logged here, as before.',
    mend: 'see to the servers and the disk of "spool", or raise "spoolBytes"; where too many are shared, "share": ["denials"]',
  },
  'fleet.learned': {
    severity: 'degraded',
    meaning: 'What was learned here does not get to the fleet, or what others are said to have learned cannot be read.',
    mend: 'see that all gateways have the same key, and may read and write the bucket tlspin-learned',
  },
  'fleet.witnesses': {
    severity: 'degraded',
    meaning:
      'Too few gateways of other networks have said what a server shows to them: what it shows here is believed without them.',
    mend: 'see that as many others as probe.witnesses run, share "probes" and have another "network", and that servers can be reached from there',
  },
  'fleet.expired': {
    severity: 'degraded',
    meaning: "The fleet's document in force is past its date: nobody has pushed one, or somebody keeps it back.",
    mend: 'push it anew (tlspin fleet push), or find out why it does not arrive',
  },
  'gateway.one-armed': {
    severity: 'degraded',
    meaning:
      'Clients and servers are behind one interface: who sends with an address on the link can speak in its name.',
    mend: 'give the gateway an interface for each side, or see that addresses on the link are held to their ports',
  },
  'clock.jump': {
    severity: 'degraded',
    meaning: 'The time of day was set: dates of pins and of records go by it.',
    mend: 'see that the clock is right, and kept so (NTP)',
  },
} as const satisfies Readonly<Record<string, ConditionKind>>;

export type ConditionCode = keyof typeof CONDITIONS;
