# SPDX-License-Identifier: Apache-2.0
"""What becomes of services with the directives of systemd.exec(5) when their container moves: a unit for each, looked
at before and after. The table of docs/moving.md is what comes out."""

from cluster import ROOT
from moves import move

PAGE = ROOT / "docs/moving.md"
HEAD = "| in a move | directives |\n|---|---|\n"

DIRECTIVES = """
PrivateTmp=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateIPC=yes
PrivateMounts=yes
PrivatePIDs=yes
PrivateUsers=yes
ProtectSystem=full
ProtectSystem=strict
ProtectHome=yes
ProtectHome=tmpfs
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
MountAPIVFS=yes
BindPaths=/srv:/opt
BindReadOnlyPaths=/etc:/mnt
TemporaryFileSystem=/srv
InaccessiblePaths=/srv
ReadOnlyPaths=/usr
NoExecPaths=/srv
RootDirectory=/srv/root BindReadOnlyPaths=/usr
DynamicUser=yes
StateDirectory=thing
RuntimeDirectory=thing
CacheDirectory=thing
User=nobody
SupplementaryGroups=adm
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_CHOWN
AmbientCapabilities=CAP_NET_ADMIN
SecureBits=noroot
SystemCallFilter=@system-service
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
LoadCredential=it:/etc/hostname
SetCredential=it:word
LogNamespace=other
LimitNOFILE=512
LimitCORE=0
Nice=5
CPUSchedulingPolicy=batch
IOSchedulingClass=idle
OOMScoreAdjust=500
TimerSlackNSec=1ms
WatchdogSec=1h
""".strip().split("\n")

# What of a process must be as it was. Of mounts neither their numbers, nor what else they are told, nor the console:
# these are known to change.
LOOK = r"""
p=$1
readlink /proc/$p/exe
for ns in mnt net ipc uts user pid cgroup; do
  [ $(readlink /proc/$p/ns/$ns) = $(readlink /proc/1/ns/$ns) ] && echo $ns shared || echo $ns own
done
grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|Seccomp)' /proc/$p/status
tail -n +2 /proc/$p/limits
echo $(cat /proc/$p/oom_score_adj) $(cat /proc/$p/timerslack_ns) $(ionice -p $p)
cut -d')' -f2 /proc/$p/stat | cut -d' ' -f18,19,40,41
sed 's/ - / ! /; s/ (shared|master|propagate_from):[0-9]*//g' -E /proc/$p/mountinfo | grep -v /dev/console |
  cut -d' ' -f4-6,8 | sort
tr '\0' '\n' </proc/$p/environ | grep -vE '^(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|WATCHDOG_PID)' | sort
cat /proc/$p/cgroup | sed 's/box-[0-9]*/box/'
"""

SETUP = r"""
mkdir -p /srv/root/dev /srv/root/proc /srv/root/sys /srv/root/run /srv/root/tmp /srv/root/etc /srv/root/usr
for l in bin sbin lib lib64; do ln -s usr/$l /srv/root/$l; done
cat >/root/look
"""


class Survey:
    """A service for each directive, in a container with systemd on m1; its move to m2 shows what becomes of them."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    def sh(self, script, text=None):
        return self.cluster[0].cli("exec", self.name, "--", "sh", "-c", script, check=False, input=text).stdout

    def start(self):
        self.sh(SETUP, LOOK)
        units = []
        for n, directive in enumerate(["", *DIRECTIVES]):
            lines = "\\n".join(["[Service]", "ExecStart=sleep infinity", *directive.split(" ")])
            units.append(f"printf '{lines}\\n' >/etc/systemd/system/box-{n}.service; systemctl start box-{n}")
        self.sh("\n".join(units))

    def look(self, n):
        """(process, what it is like); ("0", "") when the service does not run."""
        out = self.sh(f"p=$(systemctl show -P MainPID box-{n}); echo $p; [ $p = 0 ] || sh /root/look $p")
        pid, _, rest = out.partition("\n")
        return pid, rest

    def refused(self):
        """{unit: why}, and those are ended."""
        plan = self.cluster[0].api("GET", f"/1.0/instances/{self.name}/move-plan?target=m2")
        found = {}
        for reason in plan["reasons"]:
            unit = next(w for w in reason.replace(")", " ").split() if w.endswith(".service"))
            found[unit.removesuffix(".service")] = reason
            self.sh(f"systemctl stop {unit}")
        return found

    def rows(self):
        """(directive, what becomes of it)"""
        self.start()
        numbers = range(len(DIRECTIVES) + 1)
        started = [self.look(n)[0] != "0" for n in numbers]
        refused = self.refused()
        before = [self.look(n) for n in numbers]
        move(self.cluster[0], self.name, "m2")
        after = [self.look(n) for n in numbers]
        for n, directive in enumerate(DIRECTIVES, 1):
            if not started[n]:
                yield directive, "does not start"
            elif f"box-{n}" in refused:
                yield directive, "refused"
            elif before[n][1] == before[0][1]:
                yield directive, "has no effect"
            elif after[n] == (before[n][0], before[0][1]):
                yield directive, "is lost"
            else:
                yield directive, "goes along" if after[n] == before[n] else f"from {before[n]} to {after[n]}"


def table(rows):
    found = {}
    for directive, result in rows:
        found.setdefault(result, []).append(f"`{directive}`")
    return HEAD + "".join(f"| {result} | {', '.join(found[result])} |\n" for result in sorted(found))


def documented():
    text = PAGE.read_text()
    begin = text.index(HEAD)
    return text[begin:text.index("\n\n", begin) + 1]
