# SPDX-License-Identifier: Apache-2.0
"""What is tried on stock hosts: groups of steps, in order. A step is a shell script on a machine, with its deadline.

A step passes when its script ends with 0 (`set -e`); "note: TEXT" in what it prints stands in its line. Deadlines
are for emulated machines on a busy host. The tree, built, is /mnt.
"""
import dataclasses

from machine import PATIENCE, Failed

# name: suite, number. As a member it is 10.99.0.NUMBER.
MACHINES = {"m1": ("trixie", 1)}

HELPERS = f"PATIENCE={int(PATIENCE + 0.5)}" + r"""
set -e
mkdir -p /var/tmp/check && cd /var/tmp/check
# until SECONDS COMMAND...: tries it again until it succeeds
until_() {
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "never: $*"; return 1; }
		sleep 0.5
	done
}
inside() { dunlin exec "$@"; }
# set -e does not see to what begins with "!"
fails() { if "$@"; then echo "should have failed: $*"; return 1; fi; }
init_of() { dunlin info "$1" | sed -n 's/^PID: //p' | grep '^[1-9]'; }
file_of() { cat /sys/fs/cgroup/dunlin-*/$1/payload/$2; }
same() { [ "$1" = "$2" ] || { echo "$1, not $2"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) echo "no \"$2\" in: $1"; return 1 ;; esac; }
confined() { has "$(inside $1 -- cat /proc/1/attr/current)" "$2 (enforce)"; }
up() { inside $1 -- systemctl is-system-running | grep -E '^(running|degraded)'; }
# a Debian container has booted, and all its units are well
running() {
	until_ 240 up $1
	same "$(inside $1 -- systemctl --failed --no-legend --plain)" ""
	same "$(inside $1 -- systemctl is-system-running)" running
}
"""


@dataclasses.dataclass
class Step:
    name: str
    machine: str
    seconds: int
    script: str

    def run(self, fleet):
        code, out = fleet[self.machine].run(HELPERS + self.script, self.seconds)
        if code:
            raise Failed(f"{self.machine}: exit status {code}\n{out}")
        notes = [line[6:] for line in out.splitlines() if line.startswith("note: ")]
        return ", ".join(notes)


@dataclasses.dataclass
class Reboot:
    name: str
    machine: str
    seconds: int

    def run(self, fleet):
        fleet[self.machine].reboot(self.seconds)


def installed(machine):
    return [
        Step(f"{machine}: make install", machine, 300, "make -C /mnt install PREFIX=/usr && systemctl daemon-reload"),
        Step(f"{machine}: the unit starts as installed", machine, 180, """
            systemctl enable --now dunlind
            systemctl is-active dunlind dunlind-instances"""),
        Step(f"{machine}: the profile is loaded", machine, 30, """
            grep -x 'dunlin-container (enforce)' /sys/kernel/security/apparmor/profiles
            fails grep -i 'not loaded' <(journalctl -u dunlind --no-pager)"""),
        Step(f"{machine}: a CRIU that fits", machine, 120, """
            criu=$(/usr/libexec/dunlin/criu-get)
            $criu check --feature mem_dirty_track
            echo note: $($criu --version | sed -n 's/^Version: /CRIU /p'), $(uname -r)"""),
    ]


# A group begins with what it needs; what has passed in this run is not done again.
BEGIN = [
    Step("m1: cgroup v2 only, AppArmor on", "m1", 30, """
        same "$(stat -fc %T /sys/fs/cgroup)" cgroup2fs
        same "$(cat /sys/module/apparmor/parameters/enabled)" Y
        same "$(ps -p 1 -o comm=)" systemd"""),
    *installed("m1"),
    Step("m1: init", "m1", 180, "dunlind init --auto --network-address 10.99.0.1"),
    Step("m1: images", "m1", 240, """
        dunlin image import /mnt/build/busybox.tar.xz --alias busybox
        dunlin image import /mnt/build/debian.metadata.tar /mnt/build/debian.root.tar --alias debian"""),
]

ALONE = [
    *BEGIN,
    Step("busybox: launch", "m1", 180,
         "dunlin launch busybox c1 -c limits.memory=64MiB -c limits.cpu=1 -c limits.processes=100"),
    Step("busybox: its limits are the kernel's", "m1", 60, """
        same "$(file_of c1 memory.max)" 67108864
        same "$(file_of c1 pids.max)" 100
        has "0 1" "$(file_of c1 cpuset.cpus)"
        dunlin config set c1 limits.memory=96MiB
        same "$(file_of c1 memory.max)" 100663296"""),
    Step("busybox: confined, and cannot change that", "m1", 60, """
        confined c1 dunlin-container
        fails inside c1 -- sh -c 'echo changeprofile unconfined >/proc/self/attr/current'
        fails inside c1 -- cat /proc/kcore"""),
    Step("busybox: files, and the world outside", "m1", 90, """
        echo hi >h
        dunlin file push h c1/root/h
        same "$(dunlin file pull c1/root/h -)" hi
        until_ 30 inside c1 -- ping -c 1 -W 5 10.0.2.2"""),
    Step("privileged: confined by liblxc's profile", "m1", 120, """
        dunlin launch busybox p1 -c security.privileged=true
        confined p1 lxc-container-default-cgns
        dunlin delete -f p1"""),
    Step("raw.lxc: a profile that liblxc generates", "m1", 120, """
        dunlin launch busybox g1 -c raw.lxc='lxc.apparmor.profile = generated'
        has "$(cat /proc/$(init_of g1)/attr/current)" lxc-g1_ # inside it is another namespace of profiles
        dunlin delete -f g1"""),
    Step("Debian: launch", "m1", 120, "dunlin launch debian s1"),
    Step("Debian: boots, no unit fails", "m1", 300, """
        running s1
        confined s1 dunlin-container
        has "$(inside s1 -- cat /etc/resolv.conf)" nameserver"""),
    Step("the daemon restarts, the containers go on", "m1", 180, """
        one=$(init_of c1)
        two=$(init_of s1)
        systemctl restart dunlind
        same "$(init_of c1) $(init_of s1)" "$one $two"
        kill -9 $(systemctl show -P MainPID dunlind)
        until_ 60 dunlind waitready --timeout=5
        same "$(init_of c1) $(init_of s1)" "$one $two"
        dunlin stop -f c1
        dunlin start c1"""),
    Step("before the reboot", "m1", 60, """
        mkdir -p /var/log/journal; journalctl --flush
        dunlin file push - s1/etc/systemd/system/bye.service <<-END
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/true
		ExecStop=/bin/sh -c 'echo bye >>/root/bye'
		END
        inside s1 -- sh -c 'systemctl daemon-reload; systemctl start bye'
        dunlin launch busybox c2; dunlin stop -f c2"""),
    Reboot("the host reboots", "m1", 900),
    Step("the containers were stopped cleanly", "m1", 180, """
        until_ 120 dunlind waitready --timeout=5
        same "$(dunlin file pull s1/root/bye -)" bye
        log=$(journalctl -b -1 --no-pager -o short-monotonic)
        fails grep -iE 'dunlin.*timed out|Waiting for process|by force' <<<"$log"
        has "$log" "Stopped dunlind-instances.service"
        """),
    Step("what ran runs again, what did not does not", "m1", 400, """
        until_ 120 inside c1 -- true
        running s1
        same "$(dunlin list c2 -c s -f csv)" STOPPED
        confined s1 dunlin-container
        until_ 200 sh -c 'systemctl is-system-running | grep -x running'"""),
]

# All of them, in this order, when none is named.
GROUPS = {"alone": ALONE}
