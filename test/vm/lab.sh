# Bash, for the virtual machine: a client, a gateway, and two servers of one name, and what is asked of them. Wants PROJECT,
# NODE, ACCEPT, PENDING, TOLD and MASK (as numbers); the files of /job are those that stock-kernel.test.ts makes.
#
#   client ── 192.0.2.0/24 ── gateway ──┬── 198.51.100.0/24 ── server   the genuine one
#                                       └── 203.0.113.0/24  ── forger   also at the genuine one's address, if led there

# add_host NAME IPV4-NET IPV6-NET
add_host() {
  ip netns add "$1"
  ip link add "to-$1" netns gateway type veth peer name eth0 netns "$1"
  ip -n gateway addr add "$2.1/24" dev "to-$1"
  ip -n gateway addr add "$3::1/64" dev "to-$1" nodad
  ip -n gateway link set "to-$1" up
  ip -n "$1" link set lo up
  ip -n "$1" addr add "$2.2/24" dev eth0
  ip -n "$1" addr add "$3::2/64" dev eth0 nodad
  ip -n "$1" link set eth0 up
  ip -n "$1" route add default via "$2.1"
  ip -n "$1" route add default via "$3::1"
}

make_lab() {
  ip netns add gateway
  ip -n gateway link set lo up
  add_host client 192.0.2 2001:db8:1
  add_host server 198.51.100 2001:db8:2
  add_host forger 203.0.113 2001:db8:3
  on gateway 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
  ip -n forger addr add 198.51.100.2/32 dev lo
  serve server genuine
  serve forger forged
}

on() {
  local host=$1
  shift
  ip netns exec "$host" bash -euc "$*"
}

# serve HOST IDENTITY
serve() {
  local peer=$PROJECT/test/support/peers/tls-server.mjs
  ip netns exec "$1" "$NODE" "$peer" "{\"port\":443,\"cert\":\"/job/$2.pem\",\"key\":\"/job/$2.key\"}" >"/tmp/$1" &
  until_says "/tmp/$1" listening
}

until_says() {
  local tries
  for tries in {1..1200}; do
    ! grep -qs "$2" "$1" || return 0
    sleep 0.1
  done
  echo "$1 never says $2:"
  cat "$1"
  exit 1
}

# start_engine CONFIGURATION: it says what it says in /tmp/engine, and its records are in /tmp/log.
start_engine() {
  : >/tmp/log
  ip netns exec gateway "$NODE" "$PROJECT/dist/cli/main.js" run -c "/job/$1.json" --log /tmp/log >/tmp/engine 2>&1 &
  ENGINE=$!
}

engine_started() {
  start_engine "$1"
  until_says /tmp/engine bound
}

stop_engine() {
  kill "$ENGINE"
  wait "$ENGINE"
}

# Which iptables the rules' scripts find.
use_iptables() {
  rm -rf /tmp/bin
  mkdir /tmp/bin
  local name
  for name in iptables ip6tables iptables-save ip6tables-save; do
    ln -s "$(command -v "xtables-${1#iptables-}-multi")" "/tmp/bin/$name"
  done
}

# visit ADDRESS [CURL-OPTION…]: sets PAGE (`none` without one), REASON (of its record), and MARK, which the connection is left with.
visit() {
  local address=$1
  shift
  CLIENT_PORT=$((CLIENT_PORT + 1))
  PAGE=$(ip netns exec client curl -s --max-time 60 --local-port "$CLIENT_PORT" --cacert /job/ca.pem \
    --connect-to "::$address:443" "$@" https://www.bank.example/) || PAGE=none
  MARK=$(mark_of "$CLIENT_PORT")
  REASON=$(reason_of "$CLIENT_PORT")
}
CLIENT_PORT=40000

# As state: accept, or what else it is in hexadecimal.
mark_of() {
  local mark
  mark=$(on gateway "conntrack -L -f ipv4; conntrack -L -f ipv6" 2>/dev/null | sed -n "s/.* sport=$1 dport=443 .* mark=\([0-9]*\).*/\1/p" | head -n 1)
  mark=$((${mark:-0} & MASK))
  case $mark in
    "$((ACCEPT))") echo accept ;;
    "$((PENDING))") echo pending ;;
    *) printf '%#x\n' "$mark" ;;
  esac
}

# Of the record of a client's connection, when there is one.
reason_of() {
  local tries
  for tries in {1..300}; do
    ! grep -q "\"src_port\":$1," /tmp/log || break
    sleep 0.1
  done
  sed -n "s/.*\"src_port\":$1,.*\"reason\":\"\([^\"]*\)\".*/\1/p" /tmp/log | tail -n 1
}

scenario() {
  SCENARIO=$1
}

# check NAME EXPECTED ACTUAL
check() {
  printf '@check\t%s\t%s\t%s\t%s\n' "$SCENARIO" "$1" "$2" "$3"
}
