# What scenarios under test/support/systemd.sh have in common, sourced by them: steps that are told one by one, two hosts beside
# this one and what runs there, and what is to be seen of tlspin.service.
#
#   step NAME COMMAND…           says `ok: NAME`, or `not ok: NAME` and what was said
#   network, among_connections   two hosts, this one between them, and connections during whose time something is done
step() {
  local name=$1
  shift
  # As a condition it would go on after what fails, whatever `set` says.
  ( set -e; "$@" ) >/tmp/said 2>&1
  if [ $? = 0 ]; then echo "ok: $name"; else echo "not ok: $name"; cat /tmp/said; journalctl -b -n 15 --no-pager -o cat -u tlspin -u tlspin-rules; fi
}
fails() { if "$@"; then return 1; fi; }
until_true() { for i in $(seq 300); do if "$@"; then return 0; fi; sleep 0.1; done; return 1; }

main() { systemctl show -P MainPID tlspin; }
is_active() { [ "$(systemctl is-active tlspin)" = active ]; }
is_another() { now=$(main); [ "$now" != 0 ] && [ "$now" != "$1" ] && is_active; }
is_protected() { tlspin health --control /run/tlspin/tlspin.sock; }
protects() { until_true is_protected; }
# systemd keeps the sockets as long as it might start it again.
is_unbound() { [ ! -s /proc/net/netfilter/nfnetlink_queue ]; }
chains() { iptables-save | grep -- "-A .*$1"; }

peer() { local where=$1 name=$2; ip netns exec "$where" /opt/node /opt/tlspin/test/support/peers/$name.mjs "$(cat /opt/job/$3.arg)"; }
host() {
  ip netns add $1
  ip link add to-$1 type veth peer name eth0 netns $1
  ip addr add 10.9.$2.1/24 dev to-$1
  ip link set to-$1 up
  ip -n $1 addr add 10.9.$2.2/24 dev eth0
  ip -n $1 link set eth0 up
  ip -n $1 route add default via 10.9.$2.1
}
# With servers of genuine.arg and forged.arg, and one that says what it hears, of echo.arg. Until `kill $(jobs -p)`.
network() {
  host client 1
  host server 2
  echo 1 >/proc/sys/net/ipv4/ip_forward
  for each in genuine forged; do peer server tls-server $each >/tmp/$each & done
  peer server echo-server echo >/tmp/echoes &
  for each in genuine forged echoes; do until_true grep -q listening /tmp/$each; done
}
# among_connections COMMAND…: in the midst of those of load.arg, and with one open that has been accepted; what becomes of them is
# in /opt/job/load.json and /opt/job/echo.
among_connections() {
  mkfifo /tmp/end
  peer client echo-client client </tmp/end >/opt/job/echo &
  exec 7>/tmp/end
  until_true grep -q echo /opt/job/echo
  peer client tls-load load >/opt/job/load.json 2>/tmp/load &
  load=$!
  until_true grep -q half /tmp/load
  before=$(main)
  "$@"
  is_another "$before"
  wait "$load"
  exec 7>&-
  until_true grep -q longest /opt/job/echo
  journalctl -b -u tlspin -o cat | grep 'going on with'
}
