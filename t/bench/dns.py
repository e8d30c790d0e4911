#!/usr/bin/env python3
"""make bench-dns: one worker of cx-dns beside Knot, NSD and dnsmasq."""
import atexit
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import lab
from lab import BUILD, ROOT, QUICK, ROUNDS, SECONDS

D = os.path.join(BUILD, "dns")
APPS, SERVICES = 100, 100
LEGEND = """One worker of cx-dns beside Knot {knot} (one UDP and one TCP worker), NSD {nsd} (one server) and dnsmasq {dnsmasq}, each on core 0;
dnsperf and, for what is forwarded, a Knot as the resolver on core 1. The domain has {names:,} names; of the questions 70 % are for an
address that exists, 20 % for AAAA where there is only A, 10 % for names that do not exist. Forwarded: every name is asked once, so
no cache helps. Interleaved rounds, medians of {rounds} x {seconds} s: CPU time of all processes of the server over queries answered,
in microseconds. Machine: {machine}.

Command: `make bench-dns` (`BENCH_QUICK=1` for one round of 1 s).

"""


def write(name, text):
    path = os.path.join(D, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def names():
    return [f"s{j}.a{i}.convox" for i in range(APPS) for j in range(SERVICES)]


def zone(origin, records):
    return f"$ORIGIN {origin}.\n$TTL 5\n@ SOA ns.{origin}. root.{origin}. 1 3600 600 86400 5\n@ NS ns.{origin}.\nns A 127.0.0.1\n" + records


def query(name, kind=1):
    return struct.pack(">HHHHHH", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + b"".join(
        bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)


def ask(port, name):
    """(RCODE, number of answers), or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.connect(("127.0.0.1", port))
        try:
            s.send(query(name))
            got = s.recv(4096)
        except OSError:
            return None
    return got[3] & 15, struct.unpack(">H", got[6:8])[0]


class Server:
    core = lab.UNDER_TEST

    def __init__(self):
        self.port = lab.free_port()
        self.dir = f"{D}/{self.name.lower()}-{self.port}"
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o777)
        self.p = lab.start(self.argv(), core=self.core, log=f"dns/{self.name}.log")
        end = time.monotonic() + 20
        while (ask(self.port, self.probe) or (2, 0)) != (0, 1):
            if time.monotonic() > end:
                raise SystemExit(f"{self.name} does not answer; see build/bench/dns/{self.name}.log")
            time.sleep(0.05)

    probe = "s1.a1.convox"


class Cx(Server):
    name = "cx-dns"
    resolver = None

    def route(self, app, hosts):
        tmp = f"{self.dir}/.{app}.tmp"
        with open(tmp, "w") as f:
            json.dump({"v": 1, "app": app, "resources": [], "services": [
                {"name": h.split(".")[0], "hosts": [h], "scheme": "http", "backends": []} for h in hosts]}, f)
        os.rename(tmp, f"{self.dir}/{app}.json")

    def argv(self):
        all_names = names()
        for i in range(APPS):
            self.route(f"a{i}", all_names[i * SERVICES:(i + 1) * SERVICES])
        usage = subprocess.run([f"{ROOT}/bin/cx-dns", "--help"], capture_output=True, text=True).stdout
        more = ["--workers", "1"] if "--workers" in usage else []
        more += ["--resolver", f"127.0.0.1@{self.resolver}"] if self.resolver else []
        return [f"{ROOT}/bin/cx-dns", "--routes", self.dir, "--domain", "convox", "--listen", f"127.0.0.1:{self.port}",
                "--answer", "127.0.0.1", *more]

    def add(self, i):
        self.route("new", [f"n{k}.new.convox" for k in range(i + 1)])


class Knot(Server):
    name = "Knot"

    def argv(self):
        records = "".join(f"{n}. A 127.0.0.1\n" for n in names())
        self.zones = {"convox": zone("convox", records), "example": zone("example", "* A 192.0.2.1\n")}
        for z, text in self.zones.items():
            with open(f"{self.dir}/{z}.zone", "w") as f:
                f.write(text)
        cfg = write(f"knot-{self.port}.conf", f"""server:
    rundir: {self.dir}
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.dir}
zone:
""" + "".join(f"  - domain: {z}\n    storage: {self.dir}\n    file: {z}.zone\n    zonefile-sync: -1\n    journal-content: none\n    semantic-checks: off\n" for z in self.zones))
        self.cfg = cfg
        return ["knotd", "-c", cfg]

    def add(self, i):
        """A record by the control socket, as an operator adds one to a running server."""
        one = f"n{i}.new.convox. 5 A 127.0.0.1".split()
        for cmd in (["zone-begin", "convox"], ["zone-set", "convox", *one], ["zone-commit", "convox"]):
            subprocess.run(["knotc", "-s", f"{self.dir}/knot.sock", *cmd], check=True, capture_output=True)


class Resolver(Knot):
    core = lab.LOAD


class Nsd(Server):
    name = "NSD"

    def argv(self):
        with open(f"{self.dir}/convox.zone", "w") as f:
            f.write(zone("convox", "".join(f"{n}. A 127.0.0.1\n" for n in names())))
        cfg = write("nsd.conf", f"""server:
  ip-address: 127.0.0.1@{self.port}
  server-count: 1
  username: ""
  chroot: ""
  database: ""
  zonesdir: "{self.dir}"
  pidfile: "{self.dir}/pid"
  xfrdfile: "{self.dir}/xfrd"
  zonelistfile: "{self.dir}/list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: convox
  zonefile: convox.zone
""")
        return ["nsd", "-d", "-c", cfg]


class Dnsmasq(Server):
    name = "dnsmasq"
    resolver = None

    def argv(self):
        os.makedirs(f"{self.dir}/hosts")
        with open(f"{self.dir}/hosts/all", "w") as f:
            f.writelines(f"127.0.0.1 {n}\n" for n in names())
        more = [f"--server=127.0.0.1#{self.resolver}", "--dns-forward-max=1000"] if self.resolver else []
        return ["dnsmasq", "-k", "-C", "/dev/null", f"--port={self.port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv",
                "--no-hosts", "--user=root", "--pid-file=", f"--hostsdir={self.dir}/hosts", "--local=/convox/", *more]

    def add(self, i):
        with open(f"{D}/new-host", "w") as f:
            f.write("".join(f"127.0.0.1 n{k}.new.convox\n" for k in range(i + 1)))
        os.rename(f"{D}/new-host", f"{self.dir}/hosts/new")


def dnsperf(server, questions, clients, outstanding):
    before = lab.cpu_us(server.p.pid)
    out = lab.load(["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-d", questions, "-l", str(SECONDS), "-c", str(clients),
                    "-q", str(outstanding)])
    spent = lab.cpu_us(server.p.pid) - before
    m = re.search(r"Queries completed:\s+(\d+)", out)
    done, lost = int(m.group(1)) if m else 0, int((re.search(r"Queries lost:\s+(\d+)", out) or [0, 0])[1])
    bad = sum(int(x) for x in re.findall(r"(?:SERVFAIL|REFUSED) (\d+)", out))
    print(f"  {os.path.basename(questions)}, {server.name}: {done} answered, {lost} lost, {bad} refused, {spent / max(done, 1):.2f} us", file=sys.stderr)
    return spent / done if done > 1000 and bad * 100 < done and lost * 20 < done else None


def questions():
    rnd, own = random.Random(4), names()
    write("own", "".join((f"{rnd.choice(own)} A\n" if (x := rnd.random()) < 0.7 else f"{rnd.choice(own)} AAAA\n" if x < 0.9
                          else f"{rnd.choice(own).replace('.a', '.zz')} A\n") for _ in range(20000)))
    # Each of a server's turns has a part of its own: nothing was ever asked before.
    for part in range(ROUNDS):
        write(f"forward{part}", "".join(f"x{part}-{i}.example A\n" for i in range(300000)))


def live(server, n):
    times = []
    for i in range(n):
        began = time.monotonic()
        server.add(i)
        while ask(server.port, f"n{i}.new.convox") != (0, 1):
            if time.monotonic() - began > 5:
                return None
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.05)
    return lab.median(times)


def line(what, figures, base, must, aim, less=False):
    cx = figures.get("cx-dns")
    x = figures[base] / cx if base and cx and figures.get(base) else None
    return [what, *(lab.number(figures.get(n)) for n in ("Knot", "NSD", "dnsmasq", "cx-dns")), lab.ratio(figures.get("dnsmasq"), cx),
            lab.ratio(figures.get("Knot"), cx), must, aim]


def main():
    atexit.register(lab.stop_all)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    shutil.rmtree(D, ignore_errors=True)
    os.makedirs(D)
    os.chmod(D, 0o755)
    questions()
    servers = [Knot(), Nsd(), Dnsmasq(), Cx()]
    resolver = Resolver()
    Dnsmasq.resolver = Cx.resolver = resolver.port
    forwarders = [Dnsmasq(), Cx()]
    own, fwd = ({s.name: [] for s in servers} for _ in range(2))
    for r in range(ROUNDS):
        for s in servers:
            own[s.name].append(dnsperf(s, f"{D}/own", 4, 200))
        for s in forwarders:
            fwd[s.name].append(dnsperf(s, f"{D}/forward{r}", 4, 100))
    own, fwd = ({k: lab.median(v) for k, v in t.items()} for t in (own, fwd))
    new = {s.name: live(s, 5 if QUICK else 20) for s in servers if s.name != "NSD"}

    def word(x, must, aim, less=False):
        return lab.judge(x, must, aim, less)

    cx = own["cx-dns"]
    first = "not measured" if not cx else "aim" if own["Knot"] / cx >= 1 else "must" if own["dnsmasq"] / cx >= 2 else "missed"
    f = fwd["dnsmasq"] / fwd["cx-dns"] if fwd.get("cx-dns") and fwd.get("dnsmasq") else None
    rows = [line(f"a query, {APPS * SERVICES:,} names", own, "dnsmasq", "2 x dnsmasq", "1 x Knot") + [first],
            line("a query forwarded, not cached", fwd, "dnsmasq", "1.5 x dnsmasq", "2 x dnsmasq") + [word(f, 1.5, 2)],
            line("record added to live, ms", new, None, "1", "1") + [word(new["cx-dns"], 1, 1, True)]]
    text = lab.table(["work", "Knot", "NSD", "dnsmasq", "cx-dns", "x dnsmasq", "x Knot", "must", "aim", "reached"], rows)
    print(text)
    v = lambda *a: re.search(r"\d+\.\d+(\.\d+)?", "".join(subprocess.run(a, capture_output=True, text=True).__dict__[k] for k in ("stdout", "stderr"))).group()
    lab.publish("doc/performance.md", "dns", LEGEND.format(rounds=ROUNDS, seconds=SECONDS, names=APPS * SERVICES, machine=lab.machine(),
                knot=v("knotd", "-V"), nsd=v("nsd", "-v"), dnsmasq=v("dnsmasq", "-v")) + text)


main()
