# The tarball that `npm run package:npm` makes, in a root that has neither a compiler nor a network. Sourced, behind
# test/support/bare-root.sh.

try_tarball() {
  ! within sh -c 'command -v cc gcc make python3' || { echo 'this root is not bare' >&2; exit 1; }
  cp "$1" "$root/tlspin.tgz"
  cp "$2" "$root/tlspin.json"
  alone npm install --global --no-audit --no-fund /tlspin.tgz
  alone tlspin --version
  engine_runs tlspin run -c /tlspin.json
  alone npm uninstall --global tlspin
  ! within sh -c 'command -v tlspin' || { echo 'tlspin is still there' >&2; exit 1; }
  rm "$root/tlspin.tgz" "$root/tlspin.json"
}

alone() {
  within unshare --net -- "$@"
}

# It holds its queue, writes its log, and ends when it is told to.
engine_runs() {
  # shellcheck disable=SC2016 # the inner shell's own
  alone sh -euc '
    "$@" --log /tmp/tlspin.log &
    for _ in $(seq 200); do ! grep -q "^ *0 " /proc/net/netfilter/nfnetlink_queue || break; sleep 0.1; done
    grep "^ *0 " /proc/net/netfilter/nfnetlink_queue || { echo "queue 0 is not held" >&2; exit 1; }
    kill $!
    wait $!
    grep -q "\"start\"" /tmp/tlspin.log
    grep -q "\"stop\"" /tmp/tlspin.log
    rm /tmp/tlspin.log
  ' sh "$@"
}
