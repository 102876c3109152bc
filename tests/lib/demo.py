#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make demo`: a cluster of three members on this host, and a container that moves while a TCP client talks to it.

up    starts the members, launches containers, moves one live, prints what happened; leaves the cluster running
down  removes every trace of it
"""

import json
import os
import subprocess
import sys
import time

from cluster import ROOT, Cluster, run, wait_for

NAME = "dunlin-demo"
NETWORK = "demonet"
SUBNET = "10.88.0.1/16"
CLIENT = "10.88.250.1/16"
PORT = 7000

PRESEED = """
config:
  core.https_address: {address}
storage_pools:
- name: default
  driver: overlay
networks:
- name: {network}
  type: overlay
  config:
    ipv4.address: {subnet}
profiles:
- name: default
  devices:
    root: {{type: disk, path: /, pool: default}}
    eth0: {{type: nic, name: eth0, network: {network}}}
"""

USE = """
The cluster goes on running. Talk to it from any member, for example the first:

  export DUNLIN_DIR={dir}
  {enter} {dunlin} list
  {enter} {dunlin} launch demo c9
  {enter} {dunlin} exec c1 -- sh
  {enter} {dunlin} move c1 --target m3
  {enter} {dunlin} cluster list

Debian's lxc client works too: LXD_DIR=$DUNLIN_DIR {enter} lxc list
The members' logs are {logs}/m*.log.
`make demo-down` stops everything and removes every trace.
"""


def step(text):
    print(f"\n== {text}", flush=True)


def show(text):
    print(text.rstrip(), flush=True)


def start_members(cluster):
    step("three members, each in its own network namespace and state directory")
    started = time.monotonic()
    cluster.up()
    first = cluster[0]
    cluster.enable(PRESEED.format(address=first.address, network=NETWORK, subnet=SUBNET))
    show(first.cli("cluster", "list").stdout)
    show(f"started and joined by token in {time.monotonic() - started:.1f} s")


def launch_containers(cluster):
    step("an image built on this host, containers launched anywhere")
    image = cluster.build / "demo-image.tar.xz"
    run("sh", ROOT / "tests/image/build.sh", image)
    cluster[0].cli("image", "import", image, "--alias", "demo")
    cluster[0].cli("launch", "demo", "c1", "--target", "m1")
    for member, name in zip(cluster.members, ("c2", "c3", "c4")):
        show(member.cli("launch", "demo", name).stdout)
    for m in cluster.members:
        show(f"\nas {m.name} sees it:\n{m.cli('list').stdout}")


def move_under_traffic(cluster):
    step("c1 moves from m1 to m2 while a client talks to it over one TCP connection")
    address = cluster[0].address_of("c1")
    netns = cluster.client_netns(cluster[2], NETWORK, CLIENT)
    client = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{netns}", sys.executable, ROOT / "tests/lib/pingpong.py", address,
         str(PORT), "120"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    client.stderr.readline()
    moved = cluster[2].cli("move", "c1", "--target", "m2")
    show(moved.stdout + moved.stderr)
    replies_wanted = time.monotonic() + 1
    wait_for("a second of traffic after the move", lambda: time.monotonic() > replies_wanted)
    client.terminate()
    result = json.loads(client.communicate()[0])
    where = cluster[0].instance("c1")["location"]
    show(f"c1 is on {where}; the client had {result['replies']} answers over one connection, none lost, "
         f"longest silence {result['max_gap_ms']} ms")
    if result["error"] or where != "m2":
        sys.exit(f"the move went wrong: {result['error'] or 'c1 is on ' + where}")


def up():
    cluster = Cluster(NAME)
    if cluster.namespaces():
        sys.exit("the demo is up already; `make demo-down` removes it")
    try:
        start_members(cluster)
        launch_containers(cluster)
        move_under_traffic(cluster)
    except BaseException:
        print(f"\nthe demo failed; the members' logs are in {cluster.dir}; `make demo-down` cleans up",
              file=sys.stderr)
        raise
    first = cluster[0]
    show(USE.format(dir=first.dir, enter=" ".join(first.in_netns()), dunlin=cluster.dunlin, logs=cluster.dir))


def down():
    Cluster(NAME).down()
    show("the demo cluster is gone")


if os.geteuid() != 0:
    sys.exit("demo: run as root: it makes network namespaces, and starts daemons and containers")
{"up": up, "down": down}[sys.argv[1]]()
