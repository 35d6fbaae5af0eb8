/**
 * The fixed parts of the printed shell script: POSIX sh, and no more words than its reader needs to trust it. Knows no
 * policy.
 */

export const PRELUDE = String.raw`set -eu
die() { echo "tlspin rules: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die 'iptables needs root: pipe this script into "sudo sh"'
`;

export const PRESENT = String.raw`command -v iptables-restore ip6tables-restore >/dev/null || die 'iptables is missing: install the package of that name, or use --format nft'
`;

export const CHECKS = String.raw`${PRESENT}iptables -w 10 -t security -S >/dev/null || die 'this kernel has no "security" table for iptables: use --format nft'
# With be_liberal conntrack lets segments outside of the window pass, which the client may take or not.
liberal=/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal
if [ -e $liberal ] && [ "$(cat $liberal)" != 0 ]; then
  die 'net.netfilter.nf_conntrack_tcp_be_liberal is on: set it to 0 (sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=0)'
fi
`;

/**
 * In one transaction; the jump of an earlier run leaves in the one that puts it first again. It is looked for ahead of
 * it: iptables-restore of the legacy kind holds the lock from its first line on.
 */
export const FILL = String.raw`# fill PROGRAM TABLE CHAIN JUMP: our chains come on standard input; the jump to them becomes CHAIN's first rule.
fill() {
  earlier="#"
  if "$1" -w 10 -t "$2" -C "$3" $4 2>/dev/null; then earlier="-D $3 $4"; fi
  { echo "*$2"; cat; echo "$earlier"; echo "-I $3 1 $4"; echo COMMIT; } | "$1-restore" -w 10 -n
}
`;

/**
 * Ahead of the first rule, and at no later time: then undecided connections would be among them. Those that begin while
 * it runs are the engine's to judge.
 */
export const SPARE = String.raw`# spare FAMILY PROTOCOL MARK PROGRAM TABLE CHAIN JUMP: while the jump is not there yet, what conntrack knows counts as accepted.
spare() {
  if "$4" -w 10 -t "$5" -C "$6" $7 2>/dev/null; then return 0; fi
  if command -v conntrack >/dev/null; then conntrack -U -f "$1" -p "$2" -m "$3" >/dev/null 2>&1 || :; return 0; fi
  echo "tlspin rules: conntrack is missing (install the package of that name): open $1 connections over $2 are cut when they go on" >&2
}
`;

export const REMOVE = String.raw`# remove PROGRAM TABLE CHAIN JUMP OURS...: takes the jump out of CHAIN, then our own chains away; what is not there stays so.
remove() {
  program="$1 -w 10 -t $2" chain=$3 jump=$4
  shift 4
  while $program -C "$chain" $jump 2>/dev/null; do $program -D "$chain" $jump; done
  for ours; do if $program -n -L "$ours" >/dev/null 2>&1; then $program -F "$ours"; fi; done
  for ours; do if $program -n -L "$ours" >/dev/null 2>&1; then $program -X "$ours"; fi; done
}
`;
