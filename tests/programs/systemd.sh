#!/usr/bin/env bash
# A real systemd as PID 1 of namespaces of its own. Nothing outside of them is changed, except a cgroup below that of the
# caller, and the directory DIR. The units are in DIR/units.
#
#   systemd.sh up DIR [PATH...]    starts it, with these paths visible inside; says `up`; ends it when its own stdin ends
#   systemd.sh in DIR COMMAND...   runs a command inside
#
# The exit code is 77 if this machine cannot do it. SYSTEMD_ROOT names the tree of another distribution, whose systemd it is.
set -u
script=$(readlink -f "$0")
root=${SYSTEMD_ROOT:-}
systemd=/usr/lib/systemd/systemd
[ -x "$root$systemd" ] || systemd=/lib/systemd/systemd

cannot() {
    echo "systemd.sh: cannot run a systemd here: $*" >&2
    exit 77
}

# Waits for a command, for ten seconds at most.
until_true() {
    for _ in {1..200}; do
        "$@" && return 0
        sleep 0.05
    done
    return 1
}

# The cgroup of the caller in the unified hierarchy.
own_cgroup() {
    local mount path
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    path=$(sed -n 's/^0:://p' /proc/self/cgroup)
    [ -n "$mount" ] && echo "$mount${path%/}"
}

up() {
    dir=$(readlink -f "$1")
    shift
    [ "$(id -u)" = 0 ] || cannot "not root"
    [ -x "$root$systemd" ] || cannot "it is not installed"
    for tool in unshare nsenter setpriv; do
        command -v $tool >/dev/null || cannot "there is no $tool"
    done
    local base
    base=$(own_cgroup) || cannot "no cgroup v2 is mounted"
    cgroup=$base/group-test-$$
    mkdir "$cgroup" 2>/dev/null || cannot "no cgroup can be made in $base"
    trap down EXIT
    echo "$cgroup" >"$dir/cgroup"
    # The leaf for the commands of `in`: a cgroup has either processes or children.
    mkdir "$cgroup/callers"
    (
        echo $BASHPID >"$cgroup/cgroup.procs"
        exec setpriv --pdeathsig KILL setsid unshare --fork --kill-child --pid --mount --propagation private --uts --ipc \
            --net --cgroup bash "$script" init "$dir" "$@"
    ) </dev/null >"$dir/boot.log" 2>&1 &
    outside=$!
    until_true is_systemd || { cat "$dir/boot.log" >&2; cannot "it does not come up"; }
    until_true is_running || { cat "$dir/boot.log" >&2; cannot "it does not reach its target"; }
    echo up
    cat >/dev/null
}

is_systemd() {
    pid=$(awk '{ print $1 }' "/proc/$outside/task/$outside/children" 2>/dev/null) && [ -n "$pid" ] &&
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd ] && echo "$pid" >"$dir/pid"
}

is_running() {
    case $(inside "$dir" systemctl is-system-running 2>/dev/null) in
        running | degraded) true ;;
        *) false ;;
    esac
}

# The kernel kills the rest of a namespace when its PID 1 is killed.
down() {
    [ -z "${pid:-}" ] || kill -KILL "$pid"
    until_true is_removed
}

is_removed() {
    find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
    ! [ -d "$cgroup" ]
}

inside() {
    local dir=$1 pid
    shift
    pid=$(cat "$dir/pid")
    (
        echo $BASHPID >"$(cat "$dir/cgroup")/callers/cgroup.procs"
        exec nsenter -t "$pid" -m -u -i -n -p -C -r"/proc/$pid/root" -w"/proc/$pid/root" env -i \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
    )
}

# Becomes PID 1 of the new namespaces: makes a root of the least that systemd needs.
init() {
    set -e
    local dir=$1 path
    shift
    mount --make-rprivate /
    mount -t tmpfs -o mode=755 root /mnt
    cd /mnt
    mkdir usr proc sys dev run tmp var var/tmp etc root units old
    mount --rbind "$root/usr" usr
    mount -o remount,ro,bind usr
    for path in bin sbin lib lib64; do ln -s usr/$path $path; done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >etc/passwd
    printf 'root:x:0:\nnogroup:x:65534:\nsystemd-journal:x:101:\n' >etc/group
    printf 'passwd: files\ngroup: files\nhosts: files\n' >etc/nsswitch.conf
    [ -n "$root" ] || cp /etc/ld.so.cache etc/
    cp -L "$root/etc/os-release" etc/ || true
    tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
    mount -t proc -o nosuid,nodev,noexec proc proc
    # What belongs to the whole kernel is only read.
    mount --bind proc/sys proc/sys
    mount -o remount,ro,bind proc/sys
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755,nosuid dev dev
    mkdir dev/shm
    for path in null zero full random urandom; do
        : >dev/$path
        mount --bind /dev/$path dev/$path
    done
    ln -s /proc/self/fd dev/fd
    mount -t tmpfs -o mode=755 run run
    mount -t tmpfs tmp tmp
    ln -s /run var/run
    mkdir -p var/log
    mount --bind "$dir/units" units
    for path in "$@"; do
        mkdir -p ".$path"
        mount --bind "$path" ".$path"
        mount -o remount,ro,bind ".$path"
    done
    for path in sysinit basic shutdown; do
        printf '[Unit]\nDefaultDependencies=no\n' >units/$path.target
    done
    printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=systemd-journald.service\n' >units/test.target
    printf '[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=/run/systemd/journal/stdout\nListenDatagram=/run/systemd/journal/socket\nListenDatagram=/run/systemd/journal/dev-log\n' \
        >units/systemd-journald.socket
    printf '[Unit]\nDefaultDependencies=no\nRequires=systemd-journald.socket\nAfter=systemd-journald.socket\n[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-journald\nSockets=systemd-journald.socket\nStandardOutput=null\n' \
        >units/systemd-journald.service
    hostname group-test
    pivot_root . old
    cd /
    umount -l /old
    exec env -i container=group-test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/units \
        SYSTEMD_GENERATOR_PATH=/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/none \
        setpriv --bounding-set -sys_time,-sys_module,-sys_rawio,-mknod,-syslog \
        "$systemd" --system --unit=test.target --log-target=journal-or-kmsg --show-status=no
}

command=${1:-}
shift || true
case $command in
    up) up "$@" ;;
    in) inside "$@" ;;
    init) init "$@" ;;
    *) sed -n '2,9p' "$script" && exit 2 ;;
esac
