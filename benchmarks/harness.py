"""What the benchmarks share: their Python environment, builds, servers, load, models and tables.

A benchmark is a program `benchmarks/NAME/run`: it calls `enter_environment()` before anything else, which makes a
Python environment with the peers of requirements.txt under .cache/benchmarks and starts the program again inside it.
Only the standard library is imported here; NumPy and implicit are where factors are made.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "benchmarks"
CPUS = sorted(os.sched_getaffinity(0)) if shutil.which("taskset") else [0]
READY_SECONDS_MAX = 300
# nginx reads one configuration parameter into 4,096 bytes.
NGINX_BODY_BYTES_MAX = 4000
SCORE_TOLERANCE = 1e-5
HNSWLIB = "hnswlib==0.8.0"


def fail(message: str) -> None:
    sys.exit(f"error: {message}")


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


# --- Setting up


def enter_environment(*more: str) -> None:
    """Starts the running program again with the peers' Python environment, made first where it is missing."""
    environment, wanted = CACHE / "venv", (HERE / "requirements.txt").read_text()
    python, stamp = environment / "bin" / "python", environment / "requirements.txt"
    if Path(sys.prefix) != environment or not stamp.exists() or stamp.read_text() != wanted:
        if sys.version_info < (3, 11):
            fail(f"wanted Python 3.11 or newer, got {platform.python_version()}")
        if not stamp.exists() or stamp.read_text() != wanted:
            say("== Python environment with faiss, implicit and FastAPI")
            shutil.rmtree(environment, ignore_errors=True)
            need_packages({"python3-venv": "/usr/lib/python3*/ensurepip"} if sys.prefix == "/usr" else {})
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            install(python, "-r", str(HERE / "requirements.txt"))
            stamp.write_text(wanted)
        os.environ["PYTHONPATH"] = ""
        os.execv(python, [str(python), *sys.argv])
    for package in more:
        if subprocess.run([python, "-m", "pip", "show", "-q", package.split("==")[0]], capture_output=True).returncode:
            need_packages({"g++": shutil.which("g++"), "python3-dev": "/usr/include/python3*/Python.h"})
            install(python, package)
    # Single-threaded unless a benchmark says otherwise: before NumPy is imported.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # A thousand connections are a thousand files, at both ends.
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # Debian keeps nginx there, out of the path of ordinary users.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped


def install(python: Path, *packages: str) -> None:
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)


def need_packages(packages: dict[str, str | None]) -> None:
    """Installs the Debian packages whose file (a pattern, or a path found or not) is missing."""
    def is_there(path: str | None) -> bool:
        return bool(path) and any(Path("/").glob(path.lstrip("/")))

    missing = [name for name, path in packages.items() if not is_there(path)]
    if not missing:
        return
    say(f"== installing with apt-get: {' '.join(missing)}")
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*as_root, "apt-get", "update", "-qq"], check=True)
    # RUNLEVEL=1: nginx's package must not start a web server on port 80 of its own accord.
    subprocess.run(
        [*as_root, "env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq",
         "--no-install-recommends", *missing],
        check=True, stdout=sys.stderr)  # fmt: skip


class Binaries:
    """The built `nextloop` and `nextloop-bench`."""

    def __init__(self, directory: Path | None):
        if directory is None:
            say("== building (release)")
            subprocess.run([ROOT / "scripts" / "setup", "build"], check=True, stdout=sys.stderr)
            subprocess.run([ROOT / "scripts" / "build", "nextloop", "nextloop-bench"], check=True, stdout=sys.stderr)
            directory = ROOT / ".build" / "release"
        self.nextloop, self.bench = directory / "nextloop", directory / "nextloop-bench"
        for path in (self.nextloop, self.bench):
            if not os.access(path, os.X_OK):
                fail(f"{path} is no executable")


def swift(*arguments: str, folder: Path) -> None:
    subprocess.run(["swift", *arguments], check=True, cwd=folder, stdout=sys.stderr)


def argument_parser(doc: str, runs: int = 3, seconds: float = 5) -> argparse.ArgumentParser:
    """Flags that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and short: shows that all works, no figures to publish")
    parser.add_argument("--runs", type=int, default=runs, help=f"turns of which the median counts (default {runs})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"of load for a figure (default {seconds:g})")
    parser.add_argument("--binaries", type=Path, help="folder with nextloop and nextloop-bench instead of building them")
    parser.add_argument("--update-docs", action="store_true", help="put the tables into docs/benchmarks.md as well")
    parser.add_argument("--serve-flags", default="", help="more flags for `nextloop serve`, in one argument")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    options = parser.parse_args()
    if options.quick:
        options.runs, options.seconds = 1, 1
    if not (1 <= options.runs <= 50 and 0.1 <= options.seconds <= 600):
        parser.error("wanted 1...50 runs and 0.1...600 seconds")
    return options


# --- Servers


class Server:
    """A child process that listens on `port`; its output goes to a log file, and it is stopped by its process id."""

    def __init__(
        self, name: str, command: Iterable[object], port: int, log: Path, ready_path: str = "/readyz",
        environment: dict[str, str] | None = None, cpus: list[int] | None = None,
    ):  # fmt: skip
        self.name, self.port, self.log, self.ready_path = name, port, log, ready_path
        pin = ["taskset", "-c", ",".join(map(str, cpus))] if cpus and len(CPUS) > 1 else []
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*pin, *map(str, command)], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})})  # fmt: skip

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self, every: float = 0.05) -> float:
        """Seconds it took."""
        began = time.monotonic()
        while time.monotonic() < began + READY_SECONDS_MAX and self.process.poll() is None:
            try:
                self.get(self.ready_path)
                return time.monotonic() - began
            except (OSError, urllib.error.URLError):
                time.sleep(every)
        last = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        raise SystemExit(f"error: {self.name} did not get ready on port {self.port}; the end of {self.log}:\n{last}")

    def wait_until_idle(self) -> None:
        """Waits until the process has used no CPU time for half a second: nextloop makes its codes after it says ready."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        spent, since = self.cpu_seconds(), time.monotonic()
        while time.monotonic() < since + 0.5:
            if time.monotonic() > deadline:
                fail(f"{self.name} is not idle after {READY_SECONDS_MAX} s without a request")
            time.sleep(0.05)
            now = self.cpu_seconds()
            if now > spent + 0.01:
                spent, since = now, time.monotonic()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=60) as response:
            return response.read()

    def cpu_seconds(self) -> float:
        """User and system time of the process and its children so far, in ticks of 10 ms."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ticks = 0
        for pid in [self.process.pid, *children]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_server(folder: Path, body: bytes, cpus: list[int] | None = None) -> Server:
    """nginx with one worker that answers every request with `body`; its files go to a folder of its own in `folder`."""
    if len(body) > NGINX_BODY_BYTES_MAX or any(mark in body for mark in (b"'", b"\\", b"$")):
        fail(f"a body of {len(body)} bytes does not fit nginx's `return`: wanted {NGINX_BODY_BYTES_MAX}, no ' \\ or $")
    port = free_port()
    folder = folder / f"nginx-{port}"
    folder.mkdir()
    text = (HERE / "peers" / "nginx.conf.template").read_text()
    for name, value in {"@DIRECTORY@": str(folder), "@PORT@": str(port), "@BODY@": body.decode()}.items():
        text = text.replace(name, value)
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    return Server("nginx `return 200`", command, port, folder / "log", "/", cpus=cpus)


def fastapi_server(peer_model: Path, log: Path, cpus: list[int] | None = None) -> Server:
    """peers/fastapi_app.py with one uvicorn worker over the files in `peer_model`."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "fastapi_app:app", "--app-dir", HERE / "peers", "--host", "127.0.0.1",
        "--port", port, "--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
        "--log-level", "warning",
    ]  # fmt: skip
    environment = {"MODEL_DIR": str(peer_model), "OPENBLAS_NUM_THREADS": "1"}
    return Server("FastAPI + implicit", command, port, log, environment=environment, cpus=cpus)


class Bench:
    """One run of a benchmark: a folder for its files, and the servers it started; both are gone at its end."""

    def __init__(self, name: str, options: argparse.Namespace, stack: ExitStack):
        self.options, self.stack = options, stack
        self.binaries = Binaries(options.binaries)
        scratch = CACHE / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-", dir=scratch)))
        self.registry = self.folder / "models"

    def started(self, server: Server) -> Server:
        self.stack.callback(server.stop)
        server.wait_until_ready()
        return server

    def nextloop(
        self, model: str, threads: int, cpus: list[int] | None = None, wait: bool = True, name: str = "nextloop", flags: str = ""
    ) -> Server:
        """`nextloop serve` with the flags of the command line and these."""
        port = free_port()
        server = Server(
            name,
            [self.binaries.nextloop, "serve", "--registry", self.registry, "--model", model, "--port", port,
             "--threads", threads, "--drain-seconds", "0", "--max-connections", "20000",
             *self.options.serve_flags.split(), *flags.split()],
            port, self.folder / f"nextloop-{port}.log", cpus=cpus)  # fmt: skip
        self.stack.callback(server.stop)
        if wait:
            server.wait_until_ready()
            server.wait_until_idle()
        return server

    def nginx(self, body: bytes, cpus: list[int] | None = None) -> Server:
        need_packages({"nginx": shutil.which("nginx")})
        return self.started(nginx_server(self.folder, body, cpus))

    def fastapi(self, peer_model: Path, cpus: list[int] | None = None) -> Server:
        return self.started(fastapi_server(peer_model, self.folder / "fastapi.log", cpus))

    # --- Load

    def load(
        self, server: Server, target: str | Path, seconds: float | None = None, cpus: list[int] | None = None, **flags: object
    ) -> dict:
        """One run of `nextloop-bench load`: its figures, and the CPU time that the server spent on a request.

        Anything but answers of 200 ends the benchmark.
        """
        pin = ["taskset", "-c", ",".join(map(str, cpus))] if cpus and len(CPUS) > 1 else []
        of_target = ["--url", server.url, "--targets", target] if isinstance(target, Path) else ["--url", server.url + target]
        command = [*pin, self.binaries.bench, "load", *of_target, "--json"]
        if "requests" not in flags:
            command += ["--duration", seconds or self.options.seconds]
        for name, value in flags.items():
            command += [f"--{name.replace('_', '-')}", value]
        spent = server.cpu_seconds()
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if run.returncode:
            fail(f"load against {server.name}: {run.stderr.strip()}")
        said = json.loads(run.stdout)
        total = said["total"]
        total["windows"] = [window["figures"] for window in said.get("timeline", [])]
        total["cpu_seconds_per_request"] = (server.cpu_seconds() - spent) / max(1, total["answers"])
        if total["answers"] != total["requests"] or set(total["status"]) != {"200"}:
            fail(f"{server.name} under load: statuses {total['status']}, unanswered {total['unanswered']}")
        return total

    # --- Models

    def publish(self, model: str, flags: dict[str, object]) -> None:
        """`nextloop import`, promoted to production."""
        command = [self.binaries.nextloop, "import", "--registry", self.registry, "--model", model, "--promote", "production"]
        for name, value in flags.items():
            command += [f"--{name}", value]
        run = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if run.returncode:
            fail(f"nextloop import: {run.stderr.strip()}")

    def publish_factors(self, model: str, users, items) -> None:
        """Publishes factors under the ids 0, 1, ... and leaves nothing but the registry behind."""
        import numpy as np

        paths = {}
        for kind, factors in (("user", users), ("item", items)):
            paths[f"{kind}-factors"] = self.folder / f"{kind}.npy"
            np.save(paths[f"{kind}-factors"], factors)
            paths[f"{kind}-ids"] = self.folder / f"{kind}s.txt"
            paths[f"{kind}-ids"].write_text("".join(f"{row}\n" for row in range(len(factors))))
        self.publish(model, paths)
        for path in paths.values():
            path.unlink()

    def targets(self, name: str, paths: Iterable[str]) -> Path:
        file = self.folder / f"{name}.txt"
        file.write_text("".join(f"{path}\n" for path in paths))
        return file


@contextmanager
def bench(name: str, options: argparse.Namespace) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(name, options, stack)


# --- Factors


def als_like(items: int, factors: int, trained_max: int = 65_536):
    """Factors as training makes them: [users x factors] of 20,000 users, and [items x factors].

    implicit trains them, on interactions of users with tastes and items with long-tailed popularity: up to `trained_max`
    items as such; more are drawn from those, each with its direction perturbed by a tenth and its length by up to a fifth.
    Kept in the cache, as training takes a while.
    """
    import implicit
    import numpy as np

    path = CACHE / f"als-{items}x{factors}.npz"
    if path.exists():
        stored = np.load(path)
        return stored["users"], stored["items"]
    trained = min(items, trained_max)
    if items > trained:
        users, base = als_like(trained, factors, trained_max)
        random = np.random.default_rng(7)
        drawn = base[random.integers(0, trained, items)]
        scale = np.float32(0.1 / factors**0.5)
        for start in range(0, items, 1 << 18):
            part = drawn[start : start + (1 << 18)]
            noise = random.standard_normal(part.shape, dtype=np.float32)
            part += scale * noise * np.linalg.norm(part, axis=1, keepdims=True)
            part *= random.uniform(0.8, 1.2, (len(part), 1)).astype(np.float32)
        return users, drawn
    say(f"== training {items:,} x {factors} ALS-like factors")
    model = implicit.als.AlternatingLeastSquares(
        factors, regularization=0.01, alpha=40, iterations=5, random_state=1, num_threads=len(CPUS))
    model.fit(tasteful_interactions(20_000, trained), show_progress=False)
    found = [np.ascontiguousarray(x, dtype=np.float32) for x in (model.user_factors, model.item_factors)]
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(path, users=found[0], items=found[1])
    return found[0], found[1]


def random_factors(items: int, factors: int, users: int = 20_000):
    """Independent normal factors, [users x factors] and [items x factors]: the worst case, as every item may rank high."""
    import numpy as np

    random = np.random.default_rng(42)
    return tuple(random.standard_normal((rows, factors), dtype=np.float32) for rows in (users, items))


def tasteful_interactions(users: int, items: int, seed: int = 7):
    """A sparse [users x items] matrix of counts: each user has three of a hundred tastes, items a long tail."""
    import numpy as np
    import scipy.sparse

    random = np.random.default_rng(seed)
    tastes = min(100, max(3, items // 10))
    popularity = (np.arange(items) + 20.0) ** -0.8
    taste_of_item = random.integers(0, tastes, items)
    by_taste = [np.flatnonzero(taste_of_item == taste) for taste in range(tastes)]
    weights = [popularity[chosen] / popularity[chosen].sum() for chosen in by_taste]
    rows, columns = [], []
    for user in range(users):
        count = max(3, int(40 * random.lognormal(-0.5, 1.0)))
        for taste in random.choice(tastes, 3, replace=False):
            if len(by_taste[taste]):
                columns.append(random.choice(by_taste[taste], max(1, count // 3), p=weights[taste]))
                rows.append(np.full(len(columns[-1]), user))
    pairs = (np.concatenate(rows), np.concatenate(columns))
    matrix = scipy.sparse.coo_matrix((np.ones(len(pairs[0]), np.float32), pairs), (users, items)).tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


# --- Figures


def check_ids(ours, theirs, users, items, name: str) -> int:
    """Ends the benchmark unless the ids are the same, place by place, or their scores differ by no more than rounding.

    Two orders of summation round differently: float64 scores within 1e-5 of the norms' product are equal.

    Returns how many places differ so.
    """
    import numpy as np

    exchanged = 0
    for user, mine, other in zip(users.astype(np.float64), ours, theirs, strict=True):
        if len(mine) != len(other):
            fail(f"{name} finds {len(other)} items, NextLoop {len(mine)}")
        for place in np.flatnonzero(mine != other):
            a, b = (items[row].astype(np.float64) @ user for row in (mine[place], other[place]))
            scale = np.linalg.norm(user) * np.linalg.norm(items[mine[place]].astype(np.float64))
            if abs(a - b) > 1e-5 * scale:
                fail(f"{name}: place {place} is item {other[place]} ({b}), NextLoop's is {mine[place]} ({a})")
            exchanged += 1
    return exchanged


def median_of(runs: list[dict], figure: Callable[[dict], float]) -> float:
    return statistics.median(figure(run) for run in runs)


def ratio(ours: list[dict], theirs: list[dict], figure: Callable[[dict], float]) -> float:
    """The median of the ratios inside each turn, whose runs follow one another: what else the machine does drifts."""
    return statistics.median(figure(a) / figure(b) for a, b in zip(ours, theirs, strict=True))


def rate(run: dict) -> float:
    return run["requests_per_second"]


def cpu(run: dict) -> float:
    return run["cpu_seconds_per_request"]


def microseconds(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.1f} µs" if value < 100 else f"{value:,.0f} µs" if value < 10_000 else f"{value / 1e3:,.1f} ms" if value < 1e6 else f"{value / 1e6:,.1f} s"


def bytes_text(count: float) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def times(value: float) -> str:
    return f"{value:,.0f} ×" if value >= 100 else f"{value:.1f} ×" if value >= 10 else f"{value:.2f} ×"


def first_line(*command: object) -> str:
    """The first line that a command prints, or "unknown"."""
    try:
        output = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return (output.stdout + output.stderr).strip().split("\n")[0] or "unknown"


def machine() -> str:
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{processor}, {len(os.sched_getaffinity(0))} CPUs, {gibibytes:.0f} GiB, Linux {platform.release()}"


def report(options: argparse.Namespace, name: str, *parts: str) -> None:
    """Prints where, when and how the tables were made, and the tables; with --update-docs they go to the page too."""
    program = os.path.relpath(sys.argv[0], ROOT)
    command = " ".join([program, *(word for word in sys.argv[1:] if word != "--update-docs")])
    commit = first_line("git", "describe", "--always", "--dirty")
    head = f"Machine: {machine()}. Date: {datetime.date.today()}. Commit: {commit}. Command: `{command}`."
    if BUSY_AT_START > BUSY_MAX:
        head += f" **On a busy machine ({BUSY_AT_START:.0%} of the CPUs before the start): it shows that all works, no more.**"
    text = "\n\n".join([head, *parts])
    print(text)
    if options.update_docs:
        page = ROOT / "docs" / "benchmarks.md"
        begin, end = f"<!-- {name}: written by {program} --update-docs -->", f"<!-- end of {name} -->"
        before, found, rest = page.read_text().partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            fail(f"{page} has no {begin} with {end} behind it")
        page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def busy_share(seconds: float = 2) -> float:
    """How much of all CPUs everybody's work takes, steal by other machines included. The load average would still count what ended minutes ago."""

    def ticks() -> tuple[int, int]:
        fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
        return sum(fields), fields[3] + fields[4]  # idle and waiting for a disk

    all_before, idle_before = ticks()
    time.sleep(seconds)
    all_after, idle_after = ticks()
    return 1 - (idle_after - idle_before) / max(1, all_after - all_before)


# Before anything else, and handed on when the program starts again in its environment.
BUSY_AT_START = float(os.environ.get("BENCHMARK_BUSY_AT_START") or busy_share())
os.environ["BENCHMARK_BUSY_AT_START"] = str(BUSY_AT_START)
BUSY_MAX = 0.1


def table(head: list[str], rows: list[list[str]]) -> str:
    """Markdown; the first column is text, the others are figures."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
