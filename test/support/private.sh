#!/bin/sh
# Runs a command in network, mount and process namespaces of its own, as root of a user namespace where need be. When it
# ends, the kernel ends whatever it started and removes every network that it made.
set -eu
PATH=$PATH:/usr/sbin:/sbin
user=
[ "$(id -u)" = 0 ] || user='--user --map-root-user'
private() {
  # `ip netns` keeps its names under /run.
  unshare $user --net --mount --pid --fork --kill-child sh -c 'mount -t tmpfs none /run && ip link set lo up && exec "$@"' sh "$@"
}
private true || {
  echo 'the end-to-end tests need network namespaces, which this system does not let this user make: run them with sudo' >&2
  exit 1
}
private "$@"
