# Bash, for the virtual machine: what is tried there, each line of `@check` one expectation. The lab is lab.sh.

tlspin_on_gateway() {
  on gateway "PATH=/tmp/bin:\$PATH '$NODE' '$PROJECT/dist/cli/main.js' $*"
}

# Those of nft by tlspin itself, those of iptables as they are printed: that tlspin runs these too is tried on any kernel.
apply_rules() {
  case $1 in
    nft) tlspin_on_gateway rules --apply --format nft -c /job/tlspin.json ;;
    *)
      use_iptables "$1"
      on gateway 'PATH=/tmp/bin:$PATH sh -eu /job/rules.sh'
      ;;
  esac
}

remove_rules() {
  case $1 in
    nft) tlspin_on_gateway rules --apply --remove --format nft ;;
    *) on gateway 'PATH=/tmp/bin:$PATH sh -eu /job/remove.sh' ;;
  esac
  on gateway 'conntrack -F' 2>/dev/null
}

iptables_of_gateway() {
  on gateway "PATH=/tmp/bin:\$PATH iptables $*"
}

# No set of rules is there yet, and none can be had.
closed_until_applied() {
  check 'rules of a broken configuration, or none' 1 "$(status_of rules --apply --or-close --format nft -c /job/broken.json)"
  check 'what is said of that' 'tlspin rules: closed: nothing is forwarded until they can be applied' "$(tail -n 1 /tmp/said)"
  check 'what passes until they can be had' none \
    "$(ip netns exec client curl -sk --connect-timeout 3 https://198.51.100.2/ || echo none)"
}

# By an nft that is told, at the end of all, what it cannot do.
left_as_they_were() {
  mkdir -p /tmp/bin
  printf '#!/bin/sh\n{ cat; echo add rule inet nowhere at_all drop; } | %s "$@"\n' "$(command -v nft)" >/tmp/bin/nft
  chmod +x /tmp/bin/nft
  on gateway nft -s list ruleset >/tmp/before
  check 'rules of which the last cannot be put in place' 1 "$(status_of rules --apply --no-quic --format nft -c /job/tlspin.json)"
  check 'what is said of them' 'error: the rules are as they were' "$(grep -o '^error: the rules are as they were' /tmp/said)"
  check 'the rules after that' '' "$(on gateway nft -s list ruleset | diff /tmp/before - | head -n 1)"
  rm /tmp/bin/nft
}

# What it says is in /tmp/said.
status_of() {
  local status=0
  tlspin_on_gateway "$@" >/tmp/said 2>&1 || status=$?
  echo "$status"
}

genuine_and_forged() {
  visit 198.51.100.2 --tls-max 1.2
  check 'TLS 1.2, the genuine server' 'bbbbb accept pin-match' "$PAGE $MARK $REASON"
  visit 203.0.113.2 --tls-max 1.2
  check 'TLS 1.2, a forged one' 'none pin-mismatch' "$PAGE $REASON"
  visit '[2001:db8:2::2]' --tlsv1.3
  check 'TLS 1.3 over IPv6, the genuine server' 'bbbbb accept probe-match' "$PAGE $MARK $REASON"
  visit '[2001:db8:3::2]' --tlsv1.3
  check 'TLS 1.3 over IPv6, a forged one' 'none probe-mismatch' "$PAGE $REASON"
}

# A client that says nothing yet.
connected() {
  CLIENT_PORT=$((CLIENT_PORT + 1))
  ip netns exec client timeout 60 python3 /job/abrupt-client.py "$CLIENT_PORT" silent >/tmp/silent &
  until_says /tmp/silent connected
  check 'the mark of a connection that has only begun' pending "$(mark_of "$CLIENT_PORT")"
  kill $!
}

# Two connections of the same addresses and ports at the same time, in two zones of connection tracking.
overlapping() {
  ip netns add twin
  ip link add to-twin netns gateway type veth peer name eth0 netns twin
  ip -n gateway link set to-twin up
  ip -n twin addr add 192.0.2.2/24 dev eth0
  ip -n twin link set eth0 up
  ip -n twin route add default via 192.0.2.1
  ip -n gateway route add 192.0.2.2 dev to-twin table 7
  ip -n gateway route add 198.51.100.2 via 203.0.113.2 table 7
  for device in to-twin to-forger; do ip -n gateway rule add iif "$device" table 7; done
  on gateway nft -f /job/zones.nft

  CLIENT_PORT=$((CLIENT_PORT + 1))
  mkfifo /tmp/go
  ip netns exec twin timeout 120 python3 /job/abrupt-client.py "$CLIENT_PORT" waits </tmp/go >/tmp/first &
  local first=$!
  exec 8>/tmp/go
  until_says /tmp/first connected
  check 'the genuine server, by the addresses and ports of a connection in another zone' 'bbbbb pin-match' \
    "$(ip netns exec client timeout 60 python3 /job/abrupt-client.py "$CLIENT_PORT") $(reason_of "$CLIENT_PORT")"
  echo >&8
  wait "$first"
  sleep 1 # there are two records of that port
  check 'the forged one of that zone' 'none pin-mismatch' "$(tail -n 1 /tmp/first) $(reason_of "$CLIENT_PORT")"

  exec 8>&-
  on gateway nft delete table ip zones
  for device in to-twin to-forger; do ip -n gateway rule del iif "$device" table 7; done
  ip netns del twin
}

translated() {
  iptables_of_gateway '-t nat -A PREROUTING -d 198.18.0.99 -p tcp --dport 443 -j DNAT --to-destination 198.51.100.2'
  iptables_of_gateway '-t nat -A POSTROUTING -p tcp --dport 443 -j MASQUERADE'
  visit 198.18.0.99 --tls-max 1.2
  check 'DNAT and SNAT, the genuine server' 'bbbbb accept pin-match' "$PAGE $MARK $REASON"
  iptables_of_gateway '-t nat -R PREROUTING 1 -d 198.18.0.99 -p tcp --dport 443 -j DNAT --to-destination 203.0.113.2'
  visit 198.18.0.99 --tls-max 1.2
  check 'DNAT and SNAT, a forged one' 'none pin-mismatch' "$PAGE $REASON"
  iptables_of_gateway '-t nat -F'
}

# A client leaves without a word that the gateway would see, and comes again from the same port: somebody else answers.
used_again() {
  on client 'nft -f /job/no-end.nft'
  CLIENT_PORT=$((CLIENT_PORT + 1))
  check "$1: the genuine server" bbbbb "$(ip netns exec client python3 /job/abrupt-client.py "$CLIENT_PORT")"
  ip -n gateway route add 198.51.100.2/32 via 203.0.113.2
  check "$1: a forged one, by the same addresses and ports" none \
    "$(ip netns exec client timeout 60 python3 /job/abrupt-client.py "$CLIENT_PORT")"
  ip -n gateway route del 198.51.100.2/32 via 203.0.113.2
  on client 'nft delete table inet no_end'
}

others_marks() {
  ip netns exec gateway timeout 120 python3 "$PROJECT/test/support/peers/marked-copies.py" \
    "$((ACCEPT))" "$((ACCEPT | TOLD))" >/tmp/copies &
  until_says /tmp/copies ready
  visit 203.0.113.2 --tls-max 1.2
  until_says /tmp/copies sent
  check 'a raw socket that sends copies with the accept mark, a forged server' none "$PAGE"

  used_again 'nobody else marks'
  iptables_of_gateway '-t mangle -I POSTROUTING -j CONNMARK --restore-mark'
  used_again 'whole marks are restored behind the queue'
  iptables_of_gateway '-t mangle -I PREROUTING -j CONNMARK --restore-mark'
  iptables_of_gateway '-t mangle -R POSTROUTING 1 -j CONNMARK --save-mark'
  used_again 'whole marks are restored ahead of it and saved behind it'
  iptables_of_gateway '-t mangle -D PREROUTING 1'
  iptables_of_gateway '-t mangle -D POSTROUTING 1'
}

offloaded() {
  scenario 'flow offload'
  on gateway 'nft -f /job/offload.nft'
  start_engine tlspin
  wait "$ENGINE"
  check 'the engine’s exit status' 1 $?
  check 'what it says' 'flow offload is configured (flowtable fast in nft table inet fast_path)' \
    "$(grep -o 'flow offload is configured ([^)]*)' /tmp/engine)"
  engine_started offload
  apply_rules nft
  genuine_and_forged
  stop_engine
}

# with_engine CONFIGURATION ROUTE FORMAT…: everything under each format of the rules.
with_engine() {
  engine_started "$1"
  local route=$2 format
  shift 2
  for format; do
    scenario "route $route, $format"
    check 'what the engine found' "connmark route: $route" "$(grep -o 'connmark route: [a-z-]*' /tmp/engine)"
    [ "$route $format" != 'verdict nft' ] || closed_until_applied
    apply_rules "$format"
    [ "$route $format" != 'verdict nft' ] || left_as_they_were
    kill -HUP "$ENGINE" # the rules of the format before are no longer missed
    genuine_and_forged
    connected
    [ "$route $format" != 'verdict nft' ] || overlapping
    if [ "$format" = iptables-legacy ]; then
      translated
      others_marks
    fi
    check_health "$format"
    remove_rules "$format"
    [ "$format" != nft ] || check 'what is left of the rules' '' "$(on gateway nft list tables inet)"
  done
  stop_engine
}

check_health() {
  if [ "$1" = iptables-legacy ]; then
    check 'health, with rules that only root could read' '1 rules.unreadable' "$(healthy 1) $(told_of rules.unreadable)"
    return
  fi
  check 'health, with the rules as they were printed' 0 "$(healthy 0)"
  case $1 in
    nft) on gateway nft insert rule inet tlspin queue_forward ip saddr 192.0.2.7 accept ;;
    *) iptables_of_gateway '-t security -I FORWARD -s 192.0.2.7 -j ACCEPT' ;;
  esac
  check 'health, with a rule ahead that lets an address pass' '2 rules.bypassed' "$(healthy 2) $(told_of rules.bypassed)"
  case $1 in
    nft) on gateway nft -f /job/rules.nft ;;
    *) iptables_of_gateway '-t security -D FORWARD 1' ;;
  esac
  check 'health, once that is gone' 0 "$(healthy 0)"
}

# healthy STATUS: the status that it ends with, of late; what it says is in /tmp/health.
healthy() {
  local status tries
  for tries in {1..60}; do
    status=0
    tlspin_on_gateway health --control /tmp/control --json >/tmp/health 2>&1 || status=$?
    [ "$status" != "$1" ] || break
    sleep 1
  done
  echo "$status"
}

told_of() {
  grep -o "$1" /tmp/health | head -n 1
}

make_lab
if [ "$EXTENT" = short ]; then
  with_engine tlspin verdict nft iptables-nft
else
  with_engine tlspin verdict nft iptables-nft
  with_engine packet-mark packet-mark nft
  # What these leave in the kernel only root can read, and health says so from then on.
  with_engine tlspin verdict iptables-legacy
  with_engine packet-mark packet-mark iptables-legacy
  offloaded # no engine starts beside what this leaves
fi
echo '@end'
