"""What the benchmarks of daemons share: processes on one core, their CPU time, and a table in doc/performance.md."""
import json
import os
import re
import socket
import statistics
import subprocess
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, "build", "bench")
QUICK = bool(os.environ.get("BENCH_QUICK"))
ROUNDS = int(os.environ.get("ROUNDS", "1" if QUICK else "3"))
SECONDS = int(os.environ.get("SECONDS_EACH", "1" if QUICK else "2"))
UNDER_TEST, LOAD = "0", "1"  # cores
started = []


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port, kind=socket.SOCK_STREAM, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.connect(("127.0.0.1", port))
                return
            except OSError:
                time.sleep(0.02)
    raise SystemExit(f"nobody listens on {port}")


def start(argv, core=UNDER_TEST, port=None, env=None, log="log", **more):
    """A process on one core; its output goes to build/bench/LOG."""
    out = open(os.path.join(BUILD, log), "ab")
    p = subprocess.Popen(["taskset", "-c", core, *argv], stdout=out, stderr=out, env={**os.environ, **(env or {})}, **more)
    started.append(p)
    if port:
        wait_port(port)
    return p


def stop(p):
    if p.poll() is None:
        p.terminate()
        try:
            p.wait(15)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    if p in started:
        started.remove(p)


def stop_all():
    for p in list(started):
        stop(p)


def tree(pid):
    """The process and all below it."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            below = f.read().split()
    except OSError:
        return []
    return [pid] + [x for c in below for x in tree(int(c))]


def cpu_us(pid):
    """CPU time of a process and those below it, of all their threads, in microseconds (schedstat counts nanoseconds,
    where the ticks of /proc/PID/stat are 10 ms)."""
    total = 0
    for p in tree(pid):
        for t in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{t}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1000


def rss_kb(pid):
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/status") as f:
            total += int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
    return total


def load(argv, core=LOAD):
    """Runs a load to its end and gives what it printed; one that does not end has printed nothing."""
    try:
        r = subprocess.run(["taskset", "-c", core, *argv], capture_output=True, text=True, timeout=SECONDS + 20)
    except subprocess.TimeoutExpired:
        return ""
    return r.stdout + r.stderr


def wrk_failed(out):
    """Socket errors and answers other than 2xx and 3xx; wrk says nothing when there are none."""
    return sum(int(n) for line in re.findall(r"(?:Socket errors|Non-2xx).*:(.*)", out) for n in re.findall(r"\d+", line))


def wrk(url, conns, *more):
    """Requests done, those that failed, and the 99th percentile in ms."""
    out = load(["wrk", "-t1", f"-c{conns}", f"-d{SECONDS}s", "--latency", *more, url])
    m = re.search(r"(\d+) requests in", out)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    return {"done": int(m.group(1)) if m else 0, "failed": wrk_failed(out),
            "p99": float(p99.group(1)) * {"us": 0.001, "ms": 1, "s": 1000}[p99.group(2)] if p99 else None}


def h2load(port, *more, path="/", host="localhost"):
    out = load(["h2load", "-t1", f"-D{SECONDS}", f"--connect-to=127.0.0.1:{port}", *more, f"https://{host}:{port}{path}"])
    m = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", out)
    s = re.search(r"status codes: (\d+) 2xx", out)
    h2 = "Application protocol: h2" in out
    return {"done": int(s.group(1)) if s and h2 else 0, "failed": sum(map(int, m.groups()[1:])) if m else 1}


def own(*argv):
    """t/bench/load.c, whose answer is a line of JSON."""
    out = load([os.path.join(BUILD, "load"), *map(str, argv)])
    return json.loads(out.splitlines()[-1])


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def number(v):
    return "-" if v is None else f"{v:.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def judge(value, must, aim, less=False):
    """The word for a target: value against must and aim; less: the smaller the better."""
    if value is None:
        return "not measured"
    sign = -1 if less else 1
    value, must, aim = (round(x, 2) * sign for x in (value, must, aim))
    return "aim" if value >= aim else "must" if value >= must else "missed"


def table(head, rows):
    return "\n".join("| " + " | ".join(map(str, r)) + " |" for r in [head, ["---"] * len(head), *rows]) + "\n"


def publish(path, mark, text):
    """Replaces what stands between <!-- MARK --> and <!-- end MARK --> of a page."""
    page = os.path.join(ROOT, path)
    with open(page) as f:
        old = f.read()
    begin, end = f"<!-- {mark} -->\n", f"<!-- end {mark} -->"
    if begin not in old or end not in old:
        raise SystemExit(f"{path} has no marks for {mark}")
    with open(page + ".new", "w") as f:
        f.write(old[:old.index(begin) + len(begin)] + text + old[old.index(end):])
    os.rename(page + ".new", page)


def machine():
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*: (.*)", f.read()).group(1)
    return f"{os.cpu_count()} x {cpu}, Linux {os.uname().release.split('-')[0]}, load {os.getloadavg()[0]:.1f}"
