# Inside of systemd.sh, by service.sh: the life of the Debian package on a machine that runs.
. /opt/job/steps
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
version() { [ "$(dpkg-query -W -f '${Version}' tlspin)" = "$1" ]; }
is_off() { [ "$(systemctl is-enabled "$1")" = disabled ] && [ "$(systemctl is-active "$1")" = inactive ]; }
both_are_off() { is_off tlspin && is_off tlspin-rules && fails chains tlspin && is_unbound; }

installs() {
  dpkg --install /opt/job/tlspin.deb
  both_are_off
  [ "$(stat -c '%U %a' /run/tlspin)" = 'tlspin 750' ]
}
upgrades_what_is_off() {
  dpkg --install /opt/job/newer.deb
  version 98-1
  both_are_off
}
starts() {
  install -m 0640 -g tlspin /opt/job/good.json /etc/tlspin/tlspin.json
  systemctl enable --now tlspin tlspin-rules
  is_active
  protects
}
keeps_owners() {
  [ "$(stat -c '%U:%G %a' /var/log/tlspin)" = 'tlspin:adm 2750' ]
  [ "$(stat -c '%U:%G %a' /var/log/tlspin/tlspin.json)" = 'tlspin:adm 640' ]
  [ "$(stat -c '%U:%G %a' /var/lib/tlspin)" = 'tlspin:tlspin 750' ]
}
rotates() {
  echo '#' >>/etc/logrotate.conf
  logrotate --force /etc/logrotate.d/tlspin
  [ -s /var/log/tlspin/tlspin.json.1 ] && is_active
}
upgrades() {
  network
  rules=$(chains tlspin | sed 's/\[.*\]//')
  loaded=$(systemctl show -P ActiveEnterTimestampMonotonic tlspin-rules)
  among_connections dpkg --install --force-confold /opt/job/newest.deb
  version 99-1
  [ "$(chains tlspin | sed 's/\[.*\]//')" = "$rules" ]
  [ "$(systemctl show -P ActiveEnterTimestampMonotonic tlspin-rules)" = "$loaded" ]
  [ "$(journalctl -b -u tlspin -o cat | grep -c 'Failed with result')" = 0 ]
  protects
}
removes() {
  dpkg --remove tlspin
  is_unbound
  fails chains tlspin
  fails pgrep -u tlspin
  [ -e /etc/tlspin/tlspin.json ] && [ -s /var/log/tlspin/tlspin.json ]
  # What was allowed goes on, and nobody is refused any more.
  peer client tls-load after >/tmp/after
  fails grep '"bytes":0' /tmp/after
}
installs_again() {
  dpkg --install /opt/job/newest.deb
  protects
}
purges() {
  dpkg --purge tlspin
  fails id tlspin
  fails chains tlspin
  is_unbound
  until_true leaves_nothing || { cat /tmp/left; return 1; }
}
# systemd takes away what was private to a service some time after that has ended.
leaves_nothing() {
  find / -xdev -name '*tlspin*' ! -path '/opt/*' ! -path '/proc/*' >/tmp/left
  systemctl list-unit-files --no-legend 'tlspin*' >>/tmp/left
  systemctl list-units --all --no-legend 'tlspin*' >>/tmp/left
  [ ! -s /tmp/left ]
}

step 'installs, and starts nothing' installs
step 'upgrades what is not enabled, and starts nothing' upgrades_what_is_off
step 'starts when it is told to, and protects' starts
step 'has logs that adm reads' keeps_owners
step 'rotates its log' rotates
step 'upgrades among connections, and leaves the rules alone' upgrades
step 'is removed, with engine and rules, and leaves configuration and logs' removes
step 'is installed again, and goes on as it was' installs_again
step 'is purged without a trace' purges
