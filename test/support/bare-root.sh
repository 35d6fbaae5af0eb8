# A minimal Debian of its own making, with Node.js and nothing else: sourced by scripts that try things on a machine which has
# nothing. Takes root, debootstrap and a mirror, which apt is asked for; knows nothing of what is tried.
#
#   own_root SCRIPT ARGUMENT…   starts SCRIPT --inside ROOT ARGUMENT… in a mount and PID namespace of its own
#   make_system, copy_node      fill $root, the present folder
#   within COMMAND…             runs a command in it

own_root() {
  [ "$(id -u)" = 0 ] || { echo 'a root of its own takes root' >&2; exit 1; }
  command -v debootstrap >/dev/null || { echo 'debootstrap is not here: apt install debootstrap' >&2; exit 1; }
  local script=$1
  shift
  root=$(mktemp -d)
  # Whatever is mounted there ends with the namespace: nothing but files is left.
  trap 'rm -rf --one-file-system "$root"' EXIT
  unshare --mount --propagation private --pid --fork --kill-child bash "$script" --inside "$root" "$@"
}

# The release that this machine has, from where apt has it.
make_system() {
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  read -r mirror components < <(
    apt-get indextargets --format '$(CODENAME) $(REPO_URI) $(COMPONENT)' 'Created-By: Packages' |
      awk -v codename="$codename" '
        $1 == codename && (mirror == "" || $2 == mirror) { mirror = $2; all = all (all == "" ? "" : ",") $3 }
        END { print mirror, all }'
  )
  [ -n "$mirror" ] || { echo "apt knows no mirror of $codename" >&2; exit 1; }
  eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
  export http_proxy https_proxy
  debootstrap --variant=minbase --components="$components" "$codename" "$root" "$mirror" >debootstrap.log ||
    { tail -n 20 debootstrap.log; exit 1; }
  chmod 755 "$root"
  cp /etc/resolv.conf /etc/hosts "$root/etc"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount --rbind /dev "$root/dev"
}

# Node.js with npm, and its headers where they are on this machine; node-gyp fetches them otherwise.
copy_node() {
  local prefix
  prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
  tar -C "$prefix" -c bin/node bin/npm bin/npx lib/node_modules/npm | tar -C "$root/usr/local" -x
  [ -z "${NODE:-}" ] || cp "$NODE" "$root/usr/local/bin/node"
  settings=("npm_config_registry=$(npm config get registry)")
  if [ -e "$prefix/include/node/node_api.h" ]; then
    tar -C "$prefix" -c include/node | tar -C "$root/usr/local" -x
    settings+=(npm_config_nodedir=/usr/local)
  fi
  # An authority that only this machine trusts, such as a mirror's.
  local authorities=${NODE_EXTRA_CA_CERTS:-$(npm config get cafile)}
  if [ -e "$authorities" ]; then
    cp "$authorities" "$root/etc/authorities.pem"
    settings+=(NODE_EXTRA_CA_CERTS=/etc/authorities.pem)
  fi
}

# Of this machine's environment nothing goes along: with CI set, tests would miss what the README's first line lacks.
within() {
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" "${settings[@]}" \
    chroot "$root" "$@"
}
