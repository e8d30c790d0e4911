#!/usr/bin/env python3
"""make bench-router: one worker of cx-router beside one thread of HAProxy, one worker of nginx, and Caddy."""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import lab
from lab import BUILD, ROOT, QUICK, ROUNDS, SECONDS

HOST = "localhost"
NAMES = HOST + " 127.0.0.1"  # h2spec names no host
D = os.path.join(BUILD, "router")
LEGEND = """One worker of cx-router with its access log{metrics} on; HAProxy {haproxy} with one thread, nginx {nginx} with one
worker, Caddy {caddy} with GOMAXPROCS=1, theirs off. All choose the backend by the host name, set `X-Forwarded-For`, `-Proto`
and `-Port`, keep connections to the same backend (nginx) and use the same ECDSA certificate. Each proxy has core 0; load and
backend share core 1. Rounds are interleaved, figures are medians of {rounds} x {seconds} s: CPU time of all the proxy's
processes over requests that were answered, in microseconds, unless a row says otherwise. "x" is a peer's figure over that
of cx-router: above 1, cx-router is cheaper. Machine: {machine}.

Command: `make bench-router` (`BENCH_QUICK=1` for one round of 1 s).

"""


def sh(*argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw).stdout


def write(name, text):
    path = os.path.join(D, name)
    with open(path, "w") as f:
        f.write(text)
    return path


class Backends:
    """nginx, permissive and fast, in two costumes; and the echo of WebSockets."""

    def __init__(self):
        self.a, self.b, self.ws, self.grpc = (lab.free_port() for _ in range(4))
        os.makedirs(f"{D}/www", exist_ok=True)
        with open(f"{D}/www/1m", "wb") as f:
            f.write(os.urandom(1 << 20))
        servers = "".join(f"""
  server {{ listen 127.0.0.1:{port} backlog=4096; root {D}/www; location = / {{ return 200 "{word}\\n"; }} }}"""
                          for port, word in ((self.a, "a"), (self.b, "b")))
        cfg = write("backend.conf", f"""daemon off; pid {D}/backend.pid; worker_processes 1; error_log {D}/backend.err;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300; sendfile on; default_type text/plain;
  client_body_temp_path {D}/tmp; proxy_temp_path {D}/tmp; fastcgi_temp_path {D}/tmp; uwsgi_temp_path {D}/tmp; scgi_temp_path {D}/tmp;{servers}
}}
""")
        lab.start(["nginx", "-c", cfg, "-p", D, "-e", f"{D}/backend.err"], core=lab.LOAD, port=self.a)
        lab.start([f"{BUILD}/load", "echo", str(self.ws)], core=lab.LOAD, port=self.ws)
        write("www/grpc", "\0\0\0\0\5hello")
        lab.start(["nghttpd", "--no-tls", "-d", f"{D}/www", "--trailer=grpc-status: 0", str(self.grpc)],
                  core=lab.LOAD, port=self.grpc)


class Peer:
    env = {}

    def __init__(self, back):
        self.back = back
        self.plain, self.tls = lab.free_port(), lab.free_port()
        self.p = None

    def up(self):
        self.p = lab.start(self.argv(), port=self.plain, env=self.env, log=f"router/{self.name}.log")
        lab.wait_port(self.tls)

    def down(self):
        lab.stop(self.p)

    def cpu(self):
        return lab.cpu_us(self.p.pid)


class Cx(Peer):
    name = "cx-router"
    workers = 1

    def help(self):
        return subprocess.run([f"{ROOT}/bin/cx-router", "--help"], capture_output=True, text=True).stdout

    def route(self, app, host, port, scheme="http"):
        """One file, one app: published by a rename, as cx-converge does."""
        text = json.dumps({"v": 1, "app": app, "resources": [], "services": [{"name": "web", "hosts": host.split(), "scheme": scheme,
               "backends": [{"address": "127.0.0.1", "port": port, "process": f"p{port}"}]}]})
        tmp = f"{self.routes}/.{app}.tmp"
        with open(tmp, "w") as f:
            f.write(text)
        os.rename(tmp, f"{self.routes}/{app}.json")

    def argv(self):
        self.routes = f"{D}/routes"
        shutil.rmtree(self.routes, ignore_errors=True)
        os.makedirs(self.routes)
        self.route("bench", NAMES, self.back.a)
        self.route("ws", "ws.localhost", self.back.ws)
        self.route("grpc", "grpc.localhost", self.back.grpc, "grpc")
        usage = self.help()
        more = ["--workers", str(self.workers)] if "--workers" in usage else []
        if "--metrics" in usage:
            more += ["--metrics", f"{D}/metrics.sock"]
        return [f"{ROOT}/bin/cx-router", "--routes", self.routes, "--listen", f"127.0.0.1:{self.tls}", "--cert", f"{D}/cert.pem",
                "--plain", f"127.0.0.1:{self.plain}", "--log", f"{D}/access.log", *more]

    def flip(self, port, word):
        self.route("bench", NAMES, port)


class Haproxy(Peer):
    name = "HAProxy"

    def argv(self):
        write("hosts.map", f"{HOST} a\n127.0.0.1 a\nws.localhost ws\ngrpc.localhost grpc\n" + "".join(f"h{i}.convox a\n" for i in range(self.extra)))
        cfg = write("haproxy.cfg", f"""global
  nbthread {self.threads}
  maxconn 8000
  stats socket {D}/haproxy.sock mode 600 level admin
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  option forwardfor
frontend f
  bind 127.0.0.1:{self.plain} backlog 4096
  bind 127.0.0.1:{self.tls} backlog 4096 ssl crt {D}/cert.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Forwarded-Port %[dst_port]
  use_backend %[req.hdr(host),field(1,:),lower,map({D}/hosts.map,none)]
backend a
  server s 127.0.0.1:{self.back.a}
backend b
  server s 127.0.0.1:{self.back.b}
backend ws
  server s 127.0.0.1:{self.back.ws}
backend grpc
  server s 127.0.0.1:{self.back.grpc} proto h2
backend none
  http-request return status 404
""")
        return ["haproxy", "-db", "-f", cfg]

    extra = 0
    threads = 1

    def flip(self, port, word):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"{D}/haproxy.sock")
            s.sendall(f"set map {D}/hosts.map {HOST} {word}\n".encode())
            s.recv(100)


class Nginx(Peer):
    name = "nginx"

    def argv(self):
        cfg = write("nginx.conf", self.text("a"))
        return ["nginx", "-c", cfg, "-p", D, "-e", f"{D}/nginx.err"]

    def text(self, word):
        ups = "".join(f"  upstream {n} {{ server 127.0.0.1:{p}; keepalive 64; keepalive_requests 100000000; }}\n"
                      for n, p in (("a", self.back.a), ("b", self.back.b), ("ws", self.back.ws), ("grpc", self.back.grpc)))
        listen = f"listen 127.0.0.1:{self.plain} backlog=4096; listen 127.0.0.1:{self.tls} ssl http2 backlog=4096;"
        headers = """proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;"""
        return f"""daemon off; pid {D}/nginx.pid; worker_processes 1; error_log {D}/nginx.err;
events {{ worker_connections 8000; }}
http {{ access_log off; keepalive_requests 100000000; keepalive_timeout 300; proxy_request_buffering off;
  client_body_temp_path {D}/tmp; proxy_temp_path {D}/tmp; fastcgi_temp_path {D}/tmp; uwsgi_temp_path {D}/tmp; scgi_temp_path {D}/tmp;
  ssl_certificate {D}/cert.pem; ssl_certificate_key {D}/cert.pem; ssl_protocols TLSv1.2 TLSv1.3;
{ups}  server {{ {listen} server_name {HOST};
    {headers} proxy_set_header Connection "";
    location / {{ proxy_pass http://{word}; }} }}
  server {{ listen 127.0.0.1:{self.plain}; listen 127.0.0.1:{self.tls} ssl http2; server_name ws.localhost;
    {headers} proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
    location / {{ proxy_pass http://ws; }} }}
  server {{ listen 127.0.0.1:{self.plain}; listen 127.0.0.1:{self.tls} ssl http2; server_name grpc.localhost;
    location / {{ grpc_pass grpc://grpc; }} }}
}}
"""

    def flip(self, port, word):
        write("nginx.conf", self.text(word))
        os.kill(int(open(f"{D}/nginx.pid").read()), signal.SIGHUP)


class Caddy(Peer):
    name = "Caddy"
    env = {"GOMAXPROCS": "1", "HOME": D}

    def argv(self):
        self.admin = lab.free_port()
        cfg = write("Caddyfile", self.text(self.back.a))
        return ["caddy", "run", "--config", cfg, "--adapter", "caddyfile"]

    def text(self, port):
        sites = (("", f"reverse_proxy 127.0.0.1:{port}"), ("ws.", f"reverse_proxy 127.0.0.1:{self.back.ws}"),
                 ("grpc.", f"reverse_proxy h2c://127.0.0.1:{self.back.grpc}"))
        return f"""{{
  admin 127.0.0.1:{self.admin}
  auto_https off
  servers {{
    protocols h1 h2
  }}
}}
""" + "".join(f"""http://{h}localhost:{self.plain} {{
  bind 127.0.0.1
  {proxy}
}}
https://{h}localhost:{self.tls} {{
  bind 127.0.0.1
  tls {D}/cert.pem {D}/cert.pem
  {proxy}
}}
""" for h, proxy in sites)

    def flip(self, port, word):
        cfg = write("Caddyfile", self.text(port))
        sh("caddy", "reload", "--config", cfg, "--adapter", "caddyfile", "--address", f"127.0.0.1:{self.admin}")


# --- the works: each runs the load against a peer and says how much was done
WORKS = {
    "HTTP/1.1 keep-alive": lambda p: lab.wrk(f"http://{HOST}:{p.plain}/", 64),
    "the same over TLS": lambda p: lab.wrk(f"https://{HOST}:{p.tls}/", 64),
    "HTTP/2 over TLS": lambda p: lab.h2load(p.tls, "-c16", "-m16"),
    "full TLS 1.3 handshake": lambda p: lab.own("hs", p.tls, HOST, SECONDS, 8),
    "TLS 1.3 resumption": lambda p: lab.own("hs", p.tls, HOST, SECONDS, 8, "reuse"),
    "new plain connection a request": lambda p: lab.wrk(f"http://{HOST}:{p.plain}/", 32, "-H", "Connection: close"),
    "1 MiB body": lambda p: lab.wrk(f"http://{HOST}:{p.plain}/1m", 8),
    "1 MiB body over TLS": lambda p: lab.wrk(f"https://{HOST}:{p.tls}/1m", 8),
    "WebSocket message": lambda p: lab.own("ws", p.plain, "ws." + HOST, 64, SECONDS),
    "gRPC call": lambda p: lab.h2load(p.tls, "-c8", "-m8", f"--data={D}/www/grpc", "-H", "content-type: application/grpc",
                                      "-H", "te: trailers", path="/grpc", host="grpc." + HOST),
}
# must, aim: x HAProxy
TARGETS = {
    "HTTP/1.1 keep-alive": (1.07, 1.15), "the same over TLS": (1.08, 1.2), "HTTP/2 over TLS": (0.9, 1.05),
    "full TLS 1.3 handshake": (1.3, 1.55), "TLS 1.3 resumption": (1.5, 1.7), "new plain connection a request": (1.9, 2.0),
    "1 MiB body": (1.0, 1.2), "1 MiB body over TLS": (1.1, 1.15), "WebSocket message": (1.0, 1.05), "gRPC call": (1.0, 1.05),
}


def one(peer, work):
    before = peer.cpu()
    got = WORKS[work](peer)
    spent = peer.cpu() - before
    if work == "TLS 1.3 resumption" and got["resumed"] < 0.9 * got["done"]:
        got["failed"] = got["done"] - got["resumed"]
    ok = got["done"] > 50 and got["failed"] <= got["done"] // 100
    print(f"  {work}, {peer.name}: {got} {spent / max(got['done'], 1):.1f} us", file=sys.stderr)
    return {"us": spent / got["done"] if ok else None, "p99": got.get("p99") if ok else None, "failed": got["failed"]}


def cpu_rows(peers, works):
    results = {(w, p.name): [] for w in works for p in peers}
    for i in range(ROUNDS):
        for w in works:
            for p in peers[i % len(peers):] + peers[:i % len(peers)]:
                results[w, p.name].append(one(p, w))
    med = {k: lab.median([r["us"] for r in v]) for k, v in results.items()}
    rows = []
    for w in works:
        rows.append(row(w, {p.name: med[w, p.name] for p in peers}, *TARGETS[w]))
    return rows, results


def row(what, figures, must, aim, less=False):
    """A line of the table; less: must and aim are figures that cx-router may not exceed, else they are times HAProxy."""
    cx, ha = figures.get("cx-router"), figures.get("HAProxy")
    best = min((v for k, v in figures.items() if v and k != "cx-router"), default=None)
    x = ha / cx if ha and cx else None
    word = lab.judge(cx if less else x, must, aim, less)
    return [what, *(lab.number(figures.get(n)) for n in ("HAProxy", "nginx", "Caddy", "cx-router")), lab.ratio(ha, cx),
            lab.ratio(best, cx), must if less else f"{must} x", aim if less else f"{aim} x", word]


def idle_rss(peers):
    """2,000 idle connections on a fresh process."""
    n, figures = 500 if QUICK else 2000, {}
    for p in peers:
        p.down()
        p.up()
        lab.own("hs", p.tls, HOST, 0.2, 2)  # what the first handshakes allocate is not a connection's
        before = lab.rss_kb(p.p.pid)
        g = subprocess.Popen([f"{BUILD}/load", "idle", str(p.tls), HOST, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        opened = json.loads(g.stdout.readline())["open"]
        time.sleep(1.2)  # buffers of idle connections go within a second
        figures[p.name] = (lab.rss_kb(p.p.pid) - before) / opened if opened >= n * 0.99 else None
        g.communicate("\n")
        print(f"  idle, {p.name}: {opened} open, {figures[p.name]} kB", file=sys.stderr)
    return row("RSS of an idle TLS connection, kB", figures, 15, 13, less=True)


def answer(port):
    """Which backend a fresh connection reaches."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while (more := s.recv(4096)):
            got += more
    return got.rstrip()[-1:].decode()


def flips(p, n):
    """Median time from the beginning of a change to the first answer by the new backend, in ms."""
    times = []
    for i in range(n):
        word, port = ("b", p.back.b) if i % 2 == 0 else ("a", p.back.a)
        began = time.monotonic()
        p.flip(port, word)
        while answer(p.plain) != word:
            if time.monotonic() - began > 10:
                return None
        times.append((time.monotonic() - began) * 1000)
        time.sleep(0.05)
    if n % 2:
        p.flip(p.back.a, "a")
        time.sleep(0.5)
    return lab.median(times)


def live_rows(peers):
    rows, n = [], 6 if QUICK else 10
    cx, ha = (next(p for p in peers if p.name == x) for x in ("cx-router", "HAProxy"))
    for routes in (1, 10000):
        if routes > 1:
            ha.down()
            ha.extra = routes
            ha.up()
            for i in range(routes):
                with open(f"{cx.routes}/.t", "w") as f:
                    json.dump({"v": 1, "app": f"h{i}", "resources": [], "services": [{"name": "web", "hosts": [f"h{i}.convox"],
                              "scheme": "http", "backends": [{"address": "127.0.0.1", "port": cx.back.a, "process": "p"}]}]}, f)
                os.rename(f"{cx.routes}/.t", f"{cx.routes}/h{i}.json")
            flips(cx, 2)
        for loaded in (False, True):
            figures = {}
            for p in (ha, cx):
                g = subprocess.Popen(["taskset", "-c", lab.LOAD, "wrk", "-t1", "-c32", "-d60s", f"http://{HOST}:{p.plain}/"],
                                     stdout=subprocess.DEVNULL) if loaded else None
                time.sleep(0.3)
                figures[p.name] = flips(p, n)
                if g:
                    g.terminate()
                    g.wait()
            if routes == 1 and not loaded:
                figures["nginx"], figures["Caddy"] = (flips(next(p for p in peers if p.name == x), 4) for x in ("nginx", "Caddy"))
            what = f"route changed to live, {routes:,} route{'s' * (routes > 1)}, {'under load' if loaded else 'idle'}, ms"
            rows.append(row(what, figures, 6 if loaded else 2, 1, less=True))
    return rows


def swaps(p):
    """50 swaps between two backends under keep-alive, closing and WebSocket load: what failed."""
    out = {}

    def run(name, argv):
        out[name] = lab.load(argv)

    jobs = [threading.Thread(target=run, args=a) for a in (
        ("keep", ["wrk", "-t1", "-c16", "-d8s", f"http://{HOST}:{p.plain}/"]),
        ("close", ["wrk", "-t1", "-c4", "-d8s", "-H", "Connection: close", f"http://{HOST}:{p.plain}/"]),
        ("ws", [f"{BUILD}/load", "ws", str(p.plain), "ws." + HOST, "16", "8"]))]
    for j in jobs:
        j.start()
    time.sleep(0.5)
    for i in range(50):
        p.flip(*((p.back.b, "b") if i % 2 == 0 else (p.back.a, "a")))
        time.sleep(0.1)
    for j in jobs:
        j.join()
    failed = lab.wrk_failed(out["keep"]) + lab.wrk_failed(out["close"])
    cut = json.loads(out["ws"].splitlines()[-1])
    print(f"  50 swaps, {p.name}: {failed} failed, {cut}", file=sys.stderr)
    return failed, cut["failed"]


def swap_row(peers):
    got = {p.name: "{} + {}".format(*swaps(p)) for p in peers if p.name in ("HAProxy", "cx-router")}
    word = "aim" if got["cx-router"] == "0 + 0" else "missed"
    return ["50 swaps under load: failed requests + cut WebSockets", got["HAProxy"], "-", "-", got["cx-router"], "-", "-", "0 + 0", "0 + 0", word]


def setup():
    shutil.rmtree(D, ignore_errors=True)
    os.makedirs(f"{D}/tmp")
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=bench CA",
       "-keyout", f"{D}/ca.key", "-out", f"{D}/ca.pem")
    sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
       "-keyout", f"{D}/leaf.key", "-out", f"{D}/leaf.csr")
    write("ext", "subjectAltName=DNS:localhost,DNS:*.localhost\nextendedKeyUsage=serverAuth\n")
    sh("openssl", "x509", "-req", "-in", f"{D}/leaf.csr", "-CA", f"{D}/ca.pem", "-CAkey", f"{D}/ca.key", "-days", "30",
       "-extfile", f"{D}/ext", "-out", f"{D}/leaf.pem")
    write("cert.pem", "".join(open(f"{D}/{n}").read() for n in ("leaf.pem", "ca.pem", "leaf.key")))
    os.chmod(D, 0o755)


def versions():
    v = lambda *a: subprocess.run(a, capture_output=True, text=True)
    return {"haproxy": v("haproxy", "-v").stdout.split()[2].split("-")[0], "nginx": v("nginx", "-v").stderr.split("/")[1].split()[0],
            "caddy": v("caddy", "version").stdout.split()[0]}


def main():
    only = sys.argv[1:]  # parts of the names of works, for a look at some of them
    atexit.register(lab.stop_all)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    setup()
    back = Backends()
    peers = [Haproxy(back), Nginx(back), Caddy(back), Cx(back)]
    for p in peers:
        p.up()
    works = [w for w in WORKS if not only or any(o in w for o in only)]
    rows, results = cpu_rows(peers, works)
    if not only:
        p99 = {p.name: lab.median([r["p99"] for r in results["HTTP/1.1 keep-alive", p.name]]) for p in peers}
        at = 8
        rows.insert(at, row("p99 at 64 connections, ms", p99, 1.0, 1.11))
        rows.insert(at, idle_rss(peers))
        rows += live_rows(peers)
        rows.append(swap_row(peers))
    text = lab.table(["work", "HAProxy", "nginx", "Caddy", "cx-router", "x HAProxy", "x best peer", "must", "aim", "reached"], rows)
    print(text)
    if not only:
        legend = LEGEND.format(metrics=" and metrics" if "--metrics" in peers[3].help() else "", rounds=ROUNDS, seconds=SECONDS,
                               machine=lab.machine(), **versions())
        lab.publish("doc/performance.md", "router", legend + text)


if __name__ == "__main__":
    main()
