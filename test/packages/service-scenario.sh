# Inside of systemd.sh, by service.sh: the life of the Debian package on a machine that runs, from a stranger's first steps on.
. /opt/job/steps
. /opt/job/going-live
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
keeps_owners() {
  [ "$(stat -c '%U:%G %a' /var/log/tlspin)" = 'tlspin:adm 2750' ]
  [ "$(stat -c '%U:%G %a' /var/log/tlspin/tlspin.json)" = 'tlspin:adm 640' ]
  [ "$(stat -c '%U:%G %a' /var/lib/tlspin)" = 'tlspin:tlspin 750' ]
}
upgrades() {
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
step 'shows the pins of a server' shows_pins
step 'only reports, as the documentation has it begin' reports
step 'says what it had refused' says_what_it_had_refused
step 'lets everybody pass where no engine runs' needs_no_engine
step 'is scraped by Prometheus, which knows what the dashboard asks for' is_scraped
step 'enforces' enforces
step 'has logs that adm reads' keeps_owners
step 'is told of as unprotected, by health, the log and an alert, and mended' breaks
step 'rotates its log, and finds out of a compressed one why a connection was refused yesterday' finds_out
step 'upgrades among connections, and leaves the rules alone' upgrades
step 'is removed, with engine and rules, and leaves configuration and logs' removes
step 'is installed again, and goes on as it was' installs_again
step 'is purged without a trace' purges
