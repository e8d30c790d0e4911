#!/usr/bin/env python3
"""make conformance: suites that others wrote, run against cx-router and, where it tells something, HAProxy and nginx."""
import atexit
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import lab
import router

OUT = os.path.join(lab.ROOT, "build", "conformance")
VECTORS = os.environ.get("CX_VECTORS", "")
PARTS = sys.argv[1:] or ["h2spec", "curl", "vectors", "autobahn"]  # some of them: nothing is written to the page
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
sections = []


def sh(argv, seconds=300, **kw):
    try:
        r = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, **kw)
        return r.returncode, r.stdout + r.stderr
    except (subprocess.TimeoutExpired, OSError) as e:
        return 111, str(e)


class Echo(threading.Thread):
    """A backend that takes anything: it keeps the heads that arrive, and answers 200 to each."""

    def __init__(self):
        super().__init__(daemon=True)
        self.s = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port, self.heads, self.lock = self.s.getsockname()[1], [], threading.Lock()
        self.start()

    def run(self):
        while True:
            c, _ = self.s.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        got = b""
        try:
            while (more := c.recv(65536)):
                got += more
                if b"\r\n\r\n" in got:
                    with self.lock:
                        self.heads.append(got.partition(b"\r\n\r\n")[0])
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    break
            c.settimeout(1)
            while c.recv(65536):
                pass
        except OSError:
            pass
        c.close()

    def take(self):
        with self.lock:
            heads, self.heads = self.heads, []
        return heads


def doubtful(head):
    """Why two backends could read a forwarded head differently, or None."""
    line, *fields = head.split(b"\r\n")
    if not re.match(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e]+ HTTP/1\.[01]\Z", line):
        return "request line"
    seen = {}
    for f in fields:
        name, colon, value = f.partition(b":")
        if not colon or not TOKEN.match(name):
            return "field name or fold"
        if re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", value):
            return "control byte in a value"
        seen.setdefault(name.lower(), []).append(value.strip())
    length, coding = seen.get(b"content-length", []), seen.get(b"transfer-encoding", [])
    if len(length) > 1 or (length and not re.match(rb"[0-9]{1,18}\Z", length[0])):
        return "length"
    if len(coding) > 1 or (coding and coding[0].lower() != b"chunked"):
        return "transfer coding"
    if length and coding:
        return "length and transfer coding"
    return None if len(seen.get(b"host", [])) == 1 else "Host"


def request(v):
    fields = [(h["name"], str(h.get("value", ""))) for h in v.get("headers") or []]
    if not any(n.strip().lower() == "host" for n, _ in fields):
        fields.insert(0, ("Host", router.HOST))
    fields = [(n, router.HOST if n.lower() == "host" else x) for n, x in fields]
    text = f"{v['method']} {v['uri']} {v['version']}\r\n" + "".join(f"{n}: {x}\r\n" for n, x in fields) + "\r\n"
    return text.encode("utf-8" if any(ord(c) > 255 for c in text) else "latin-1")


def replay(peer, echo, raw):
    """What became of it: refused (and closed or not), forwarded, waits; and why what was forwarded is doubtful."""
    echo.take()
    got, closed = b"", False
    with socket.create_connection(("127.0.0.1", peer.plain), timeout=5) as s:
        s.sendall(raw)
        s.settimeout(0.5)
        try:
            while True:
                more = s.recv(65536)
                got += more
                if not more:
                    closed = True
                    break
        except ConnectionResetError:
            closed = True
        except OSError:
            pass
    heads = echo.take()
    status = int(got[9:12]) if re.match(rb"HTTP/1\.. \d\d\d", got) else None
    why = next((w for w in map(doubtful, heads) if w), None)
    what = "forwarded" if heads else "refused" if status and status >= 300 or (closed and not got) else "waits"
    return {"what": what, "status": status, "closed": closed, "doubtful": why}


def vectors(peers, echo):
    import yaml
    files = sorted(glob.glob(os.path.join(VECTORS, "*.yaml")))
    if not files:
        sections.append("## Request vectors of http-desync-guardian\n\nNot run: CX_VECTORS names no folder of them.\n")
        return
    count, lines, doubts, misses = {}, [], {p.name: 0 for p in peers}, []
    for f in files:
        for v in yaml.safe_load(open(f, "rb").read()):
            if not isinstance(v, dict) or "method" not in v or isinstance(v["uri"], bytes):
                continue
            tier, raw, cells = v["expected"]["tier"], request(v), []
            for p in peers:
                r = replay(p, echo, raw)
                word = r["what"] + (f" {r['status']}" if r["what"] == "refused" else "") + (", closed" if r["closed"] else "")
                doubts[p.name] += r["doubtful"] is not None
                c = count.setdefault((tier, p.name), {"refused, closed": 0, "refused, open": 0, "forwarded": 0, "waits": 0})
                c[r["what"] + ("" if r["what"] != "refused" else ", closed" if r["closed"] else ", open")] += 1
                cells.append(word + (f" **{r['doubtful']}**" if r["doubtful"] else ""))
                good = {"Severe": r["what"] == "refused" and r["closed"], "Compliant": r["what"] == "forwarded"}.get(
                    tier, not r["doubtful"])
                if p.name == "cx-router" and (not good or r["doubtful"]):
                    misses.append(f"{os.path.basename(f)}: {v['name']!r} ({tier}): {cells[-1]}")
            lines.append([os.path.basename(f), repr(v["name"]).replace("|", "\\|"), tier, *cells])
    head = ["file", "vector", "tier", *(p.name for p in peers)]
    with open(f"{OUT}/vectors.md", "w") as f:
        f.write(lab.table(head, lines))
    rows = [[t, *("{refused, closed} / {refused, open} / {forwarded} / {waits}".format(**count[t, p.name]) for p in peers)]
            for t in ("Severe", "Ambiguous", "Acceptable", "Compliant") if (t, peers[0].name) in count]
    rows.append(["forwarded so that two backends could read it differently", *(doubts[p.name] for p in peers)])
    sections.append("## Request vectors of http-desync-guardian\n\n"
        f"{len(lines)} requests, raw, to each proxy with a backend that answers 200 to anything. Refused with a close / refused, connection kept / "
        "forwarded / neither within half a second. Each one's verdict: build/conformance/vectors.md. What was forwarded is judged by the bytes that "
        "reached the backend: one well-formed request line, one Host, one way to know the length, no control bytes.\n\n"
        + lab.table(["tier", *(p.name for p in peers)], rows)
        + (f"\ncx-router does not do what the tier asks (Severe refused and closed, Compliant forwarded) for {len(misses)}; see build/conformance/misses.\n" if misses else ""))
    with open(f"{OUT}/misses", "w") as f:
        f.write("\n".join(misses) + "\n")
    print(sections[-1])


def h2spec(peers):
    tool = f"{OUT}/go/bin/h2spec"
    if not os.path.exists(tool):
        sh(["go", "install", "github.com/summerwind/h2spec/cmd/h2spec@latest"], env={**os.environ, "GOPATH": f"{OUT}/go", "GOFLAGS": "-modcacherw"})
    rows = []
    for p in peers:
        _, out = sh([tool, "-t", "-k", "-h", "127.0.0.1", "-p", str(p.tls), "-S", "-o", "3"])
        with open(f"{OUT}/h2spec-{p.name}", "w") as f:
            f.write(out)
        m = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", out)
        rows.append([p.name, *(m.groups() if m else ("did not run", "", "", ""))])
    sections.append("## h2spec, strict, over TLS\n\n" + lab.table(["proxy", "tests", "passed", "skipped", "failed"], rows))
    print(sections[-1])


def autobahn(peers, back):
    """The suite's fuzzing client through each proxy to one WebSocket server, and directly: a proxy must change nothing."""
    python = os.environ.get("PYTHON2", "python2.7")
    env = {**os.environ, "PYTHONUSERBASE": f"{OUT}/autobahn"}
    if not os.path.exists(f"{OUT}/autobahn/lib"):
        st, out = sh([python, "-m", "pip", "install", "-q", "--user", "autobahntestsuite"], env=env)
        if st:
            sections.append(f"## Autobahn\n\nNot run: the suite needs Python 2.7 with pip (PYTHON2 names it).\n")
            print(out, file=sys.stderr)
            return
    server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wsecho.py")
    lab.start(["/usr/bin/python3", server, str(back.ab)], core=lab.LOAD, port=back.ab)
    urls = {"direct": back.ab, **{p.name: p.plain for p in peers}}
    spec = {"outdir": f"{OUT}/autobahn-report", "servers": [
        {"agent": n, "url": f"ws://127.0.0.1:{port}", "options": {"version": 18}} for n, port in urls.items()],
        "cases": ["*"], "exclude-cases": ["9.*", "12.*", "13.*", "6.4.*"], "exclude-agent-cases": {}}
    with open(f"{OUT}/autobahn.json", "w") as f:
        json.dump(spec, f)
    _, out = sh([python, "-m", "autobahntestsuite.wstest", "-m", "fuzzingclient", "-s", f"{OUT}/autobahn.json"], 400, env=env, cwd=OUT)
    try:
        index = json.load(open(f"{OUT}/autobahn-report/index.json"))
    except OSError:
        sections.append("## Autobahn\n\nThe suite gave no report.\n")
        print(out[-2000:], file=sys.stderr)
        return
    rows = []
    for n in urls:
        got = index.get(n, {})
        same = sum(c["behavior"] == index["direct"].get(k, {}).get("behavior") for k, c in got.items())
        rows.append([n, len(got), sum(c["behavior"] in ("OK", "INFORMATIONAL", "NON-STRICT") for c in got.values()), same])
    sections.append("## Autobahn, the fuzzing client through the proxy\n\nAll cases but 6.4 (slow), 9 (large), 12 and 13 (compression). A proxy passes when each case "
                    "ends as without it.\n\n" + lab.table(["through", "cases", "passed", "as direct"], rows))
    print(sections[-1])


def curls(cx):
    base = ["curl", "-sk", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"]
    plain, tls = f"http://localhost:{cx.plain}/", f"https://localhost:{cx.tls}/"
    rows = []
    for words, url, want in ((["--http1.0"], plain, "200 1"), (["--http1.1"], plain, "200 1.1"), (["--http2"], tls, "200 2"),
            (["--http1.1"], tls, "200 1.1"), (["--tls-max", "1.2"], tls, "200"), (["--tlsv1.3"], tls, "200"), (["--head"], tls, "200"),
            (["--tls-max", "1.1"], tls, "000"), (["-H", "Expect: 100-continue", "-d", "x=1"], tls, "200"), (["--http2"], plain, "200 1.1"),
            (["-T", f"{router.D}/www/1m"], tls + "up", "405"), (["-H", "Transfer-Encoding: chunked", "-d", "x"], plain, "200"),
            (["-X", "OPTIONS"], tls, "200"), (["-r", "0-99"], tls + "1m", "206"), (["--compressed"], tls, "200"),
            (["--http2-prior-knowledge"], tls, "200 2")):
        _, out = sh([*base, *words, url], 15)
        rows.append(["`" + " ".join(w.replace(router.D, "") for w in words) + (" https`" if url.startswith("https") else " http`"), want, out,
                     "yes" if out.startswith(want) else "**no**"])
    sections.append("## curl\n\nThe backend, nginx with static files, answers 200 to anything for `/`, and 405 to a PUT: the status shows that the request came through.\n\n"
                    + lab.table(["options", "expected", "got", "as expected"], rows))
    print(sections[-1])


def main():
    os.makedirs(OUT, exist_ok=True)
    atexit.register(lab.stop_all)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    router.D = f"{OUT}/router"  # a benchmark may run beside this
    os.makedirs(f"{lab.BUILD}/router", exist_ok=True)
    router.setup()
    back = router.Backends()
    back.ab = lab.free_port()
    cx = router.Cx(back)
    peers = [router.Haproxy(back), router.Nginx(back), cx]
    for p in peers:
        p.up()
    if "h2spec" in PARTS:
        h2spec(peers)
    if "curl" in PARTS:
        curls(cx)
    # A second set for the vectors, in front of the backend that takes anything; and for Autobahn, in front of its server.
    for p in peers:
        p.down()
    echo = Echo()
    back.a, back.ws = echo.port, back.ab
    for p in peers:
        p.up()
    if "vectors" in PARTS:
        vectors(peers, echo)
    for p in peers:
        p.down()
    back.a = back.ab
    for p in peers:
        p.up()
    if "autobahn" in PARTS:
        autobahn([peers[0], cx], back)
    if not sys.argv[1:]:
        lab.publish("doc/conformance.md", "suites", "\n".join(sections))


main()
