#!/bin/sh
# The first program of the virtual machine: this machine's own files, read-only beneath what the guest writes (which is
# gone when it ends), Debian's modules at their place, and then what /job/run says. Knows nothing of what that is.
set -u
/bin/busybox mkdir -p /proc /sys /dev /sbin /usr/bin /usr/sbin /host /written /new
/bin/busybox --install -s
mount -t proc none /proc
for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe "$module"; done
share() { mount -t 9p -o "trans=virtio,version=9p2000.L,msize=524288,$2" "$1" "$3"; }
share host ro,cache=loose /host
share modules ro,cache=loose /lib/modules # where the kernel itself asks for modules

mount -t tmpfs none /written
mkdir /written/files /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/files,workdir=/written/work none /new
cd /new
mkdir -p job lib/modules
share job rw,cache=none job
mount --bind /lib/modules lib/modules
mount -t proc none proc
mount -t sysfs none sys
mount -t devtmpfs none dev
mkdir -p dev/pts
mount -t devpts none dev/pts
mount -t tmpfs none run
mount -t tmpfs none tmp
ip link set lo up
[ -e sbin/modprobe ] || cp /bin/busybox sbin/modprobe # iptables asks for modules by itself

chroot . /bin/bash /job/run
echo $? >job/status
sync
poweroff -f
