# The Debian package that `npm run package:deb` makes: installed, upgraded, removed, purged. Sourced, behind npm.sh.

# Of both processors: without errors, and the same but for the addon, which is that processor's.
try_debs() {
  lintian --fail-on error "$1" "$2" || exit 1
  is "$(dpkg-deb --field "$1" Architecture) $(dpkg-deb --field "$2" Architecture)" 'amd64 arm64'
  is "$(files "$2" | sed 's/linux-arm64/linux-x64/')" "$(files "$1")"
  is "$(machine "$1" x64) $(machine "$2" arm64)" '3e b7'
}

files() {
  dpkg-deb --contents "$1" | awk '{ print $1, $2, $6, $7, $8 }'
}

# ELF: the first octet of e_machine.
machine() {
  dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/lib/tlspin/node_modules/node-nfqueue/prebuilds/linux-$2/node-nfqueue.glibc.node" |
    od -An -tx1 -j18 -N1 | tr -d ' '
}

try_deb() {
  # Rules without an engine would block what they queue.
  is "$(dpkg-deb --info "$1" prerm | grep -o "stop '[a-z.-]*'" | tr '\n' ' ')" "stop 'tlspin-rules.service' stop 'tlspin.service' stop 'tlspin-web.service' "
  is "$(dpkg-deb --info "$1" postinst | grep -c '_dh_action=restart')" 2
  stub_nodejs
  cp "$1" "$root/tlspin.deb"
  newer "$1" 99-1 "$root/newer.deb"

  install_package ./nodejs.deb ./tlspin.deb logrotate systemd-standalone-tmpfiles
  is "$(within tlspin --version)" "$(node -p "require('$project/package.json').version")"
  is "$(within id -nG tlspin)" tlspin
  is "$(owners /var/lib/tlspin /var/log/tlspin /etc/tlspin/tlspin.json)" 'tlspin:tlspin 750,tlspin:adm 2750,root:root 644,'
  within tlspin check /etc/tlspin/tlspin.json
  within logrotate --debug /etc/logrotate.d/tlspin
  # As systemd does when the machine boots, or the package is installed on one that runs.
  within systemd-tmpfiles --create tlspin.conf
  is "$(owners /run/tlspin)" 'tlspin:tlspin 750,'
  within test -s /usr/share/man/man1/tlspin-run.1.gz -a -s /usr/share/man/man5/tlspin.json.5.gz
  within test -s /lib/systemd/system/tlspin.service -a -s /lib/systemd/system/tlspin-rules.service -a -s /lib/systemd/system/tlspin-web.service
  within bash -euc '. /usr/share/bash-completion/completions/tlspin'
  engine_runs tlspin run -c /etc/tlspin/tlspin.json

  echo '// edited' >>"$root/etc/tlspin/tlspin.json"
  install_package ./newer.deb
  is "$(within dpkg-query -W -f '${Version}' tlspin)" 99-1
  is "$(within tail -n 1 /etc/tlspin/tlspin.json)" '// edited'
  engine_runs tlspin run -c /etc/tlspin/tlspin.json
  touch "$root/var/log/tlspin/tlspin.json"

  within apt-get remove -qq -y tlspin >apt.log || { cat apt.log; exit 1; }
  is "$(within find /usr /var/log /etc/tlspin -name '*tlspin*' ! -path '/usr/local/*' | sort | tr '\n' ' ')" \
    '/etc/tlspin /etc/tlspin/tlspin.json /var/log/tlspin /var/log/tlspin/tlspin.json '
  within apt-get purge -qq -y tlspin >apt.log || { cat apt.log; exit 1; }
  rm "$root"/*.deb
  is "$(within find / -xdev -name '*tlspin*')" ''
  ! within id tlspin 2>/dev/null || { echo 'the user tlspin is still there' >&2; exit 1; }
}

install_package() {
  within apt-get install -qq -y --no-install-recommends "$@" >apt.log 2>&1 || { cat apt.log; exit 1; }
}

# Debian's own may be too old: by its name, this root's Node.js.
stub_nodejs() {
  mkdir -p stub/DEBIAN stub/usr/bin
  ln -s /usr/local/bin/node stub/usr/bin/node
  printf '%s\n' 'Package: nodejs' "Version: $(within node -p 'process.versions.node')-1" 'Architecture: all' \
    'Maintainer: nobody <nobody@example.org>' 'Description: stands in for the real one' >stub/DEBIAN/control
  dpkg-deb --root-owner-group --build stub nodejs.deb >/dev/null
  rm -r stub
}

# newer PACKAGE VERSION INTO: the same under a version that is an upgrade.
newer() {
  dpkg-deb --raw-extract "$1" newer
  sed -i "s/^Version: .*/Version: $2/" newer/DEBIAN/control
  dpkg-deb --root-owner-group --build newer "$3" >/dev/null
  rm -r newer
}

owners() {
  within stat -c '%U:%G %a' "$@" | tr '\n' ','
}

is() {
  [ "$1" = "$2" ] || { echo "expected “$2”, got “$1”" >&2; exit 1; }
}
