#!/bin/bash
# systemd.sh SECONDS DIRECTORY NODE ROOT [BASE]: systemd as the first process of namespaces of its own, over this machine's files, which
# stay as they are. /usr/bin/tlspin is the program in ROOT, its units are installed, and there is a user of that name. With BASE
# it is over the files of that system instead, in which tlspin is not installed. Runs DIRECTORY/scenario as a service, leaves
# what it says in DIRECTORY/output, and ends with it. There /opt/job is DIRECTORY, with the steps of systemd-steps.sh in
# /opt/job/steps, /opt/node is NODE, /opt/tlspin is ROOT. Needs root, and a cgroup of version 2. After SECONDS, or with whoever has
# started it, all of it is ended, whatever it is doing.
set -e
if [ "${1:-}" != --limited ]; then exec setpriv --pdeathsig TERM timeout -k 10 "$1" bash "$0" --limited "${@:2}"; fi
shift
export directory=$1 node=$2 root=$3 base=${4:-/}
cp "$(dirname "$0")/systemd-steps.sh" "$directory/steps"
group=$(mktemp -d "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/tlspin-XXXXXX")
trap 'exit 124' TERM
trap 'echo 1 >"$group/cgroup.kill"; for i in $(seq 50); do if find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; then break; fi; sleep 0.1; done' EXIT
enter() {
  echo 0 >"$group/cgroup.procs"
  exec unshare --pid --mount --net --ipc --uts --cgroup --fork --kill-child bash -c '
    set -e
    mount --make-rprivate /
    job=$directory
    overlay=$directory/overlay
    mkdir "$overlay"
    mount -t tmpfs none "$overlay"
    cd "$overlay"
    mkdir up work root
    mount -t overlay overlay -o lowerdir=$base,upperdir=up,workdir=work root
    cd root
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs none run
    mount -t tmpfs none tmp
    mount --rbind /dev dev
    mkdir -p opt/tlspin opt/job
    touch opt/node
    mount --bind "$node" opt/node
    mount --bind "$root" opt/tlspin
    mount --bind "$job" opt/job
    rm -rf etc/systemd/system/*.wants
    if [ "$base" = / ]; then
      mkdir -p etc/tlspin
      printf "#!/bin/sh\nexec /opt/node /opt/tlspin/dist/cli/main.js \"\$@\"\n" >usr/bin/tlspin
      chmod 755 usr/bin/tlspin
      cp "$root"/packaging/systemd/*.service etc/systemd/system
      chroot . useradd --system --no-create-home --shell /usr/sbin/nologin tlspin 2>/dev/null || true
    fi
    printf "%s\n" "[Unit]" "SuccessAction=exit-force" "FailureAction=exit-force" "[Service]" "Type=oneshot" \
      "ExecStart=/bin/bash /opt/job/scenario" "StandardOutput=append:/opt/job/output" "StandardError=append:/opt/job/output" \
      >etc/systemd/system/scenario.service
    ip link set lo up
    exec env -i container=tlspin PATH="$PATH" chroot . /lib/systemd/systemd --system --unit=scenario.service --show-status=0'
}
enter &
wait $! # which a signal interrupts
