#!/bin/sh
# Process 1 of a machine of the cluster: arranges its mounts, says so, and reaps orphans for as long as it lives.
# Runs in mount, host-name, process-id and cgroup namespaces of its own (testbed/cluster/machine.py); $1 is the
# machine's disk, $2 its host name.
#
# What a node writes goes to its disk, which outlives a reboot, or to a fresh /run, which does not. The rest of the
# file system is the host's, except for Python: a node of a real cluster need not have one.
set -eu
disk=$1

mount -t proc proc /proc
echo "$2" >/proc/sys/kernel/hostname

# This network namespace's devices and this cgroup namespace's groups instead of the host's.
awk '$(NF - 2) ~ /^cgroup2?$/ { print $5, $(NF - 2), $NF }' /proc/self/mountinfo >"$disk/hierarchies"
mount -t sysfs sysfs /sys
grep -q '^/sys/fs/cgroup ' "$disk/hierarchies" || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
while read -r point type options; do
	mkdir -p "$point"
	mount -t "$type" -o "$options" "$type" "$point"
	echo $$ >"$point/daemons/cgroup.procs"
done <"$disk/hierarchies"

for directory in etc opt; do
	mount -t overlay -o "lowerdir=/$directory,upperdir=$disk/$directory,workdir=$disk/work-$directory" overlay "/$directory"
done
# Before anything is hidden: the programs are wherever the host has them.
for program in "$disk"/programs/*; do
	[ -e "$program" ] && mount --bind "$(readlink -f "$program")" "/opt/kubernetes/$(basename "$program")"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/lock
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount --bind "$disk/var-lib" /var/lib
mount --bind "$disk/var-log" /var/log

for program in /usr/bin/python3* /usr/local/bin/python3*; do
	[ -f "$program" ] && mount --bind "$disk/no-program" "$(readlink -f "$program")"
done

# Kubelet sets these for the whole machine, which is not ours: it finds them set.
for setting in "$disk"/sysctl/*; do
	mount --bind "$setting" "/proc/sys/$(basename "$setting" | tr . /)"
done

# Mounts that containers make are seen by others on this machine, and nowhere else.
mount --make-rshared /

touch "$disk/ready"
while :; do
	sleep 1000000 &
	wait $! || :
done
