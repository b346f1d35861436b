"""A stage for one scenario: a registry with three versions, an nginx from the templates, the tool, and counted load.

Everything listens on free loopback ports and lives in one temporary directory. Leaving the `with` block ends every process
by its id. An alarm ends a scenario that hangs, through the same door.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PROGRAMS = pathlib.Path(__file__).resolve().parent
TOOL = REPOSITORY / "deploy/blue-green"


SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


def fake(stage, mode):
    """Settings of a run whose candidate is the fake colour."""
    return {"BINARY": PROGRAMS / "fake_colour.py", "FAKE_BINARY": stage.binary, "FAKE_MODE": mode,
            "FAKE_WHEN": stage.directory / "misbehave"}


class Failed(AssertionError):
    pass


def expect(condition, text):
    if not condition:
        raise Failed(text)


def free_ports(count):
    """Ports that were free a moment ago; held together so that no two are the same."""
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.bind(("127.0.0.1", 0))
        sockets.append(one)
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise Failed(f"waited {seconds} s for {what}")


def fetch(url, timeout=3, headers=None, data=None, method=None):
    """Status, headers and body; HTTP errors are answers, not exceptions."""
    request = urllib.request.Request(url, headers=headers or {}, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class Load:
    """One load_client.py: GET or POST."""

    def __init__(self, stage, method, connections, rate):
        self.process = subprocess.Popen(
            [sys.executable, PROGRAMS / "load_client.py", "--port", str(stage.listen), "--method", method,
             "--users", stage.users, "--connections", str(connections), "--rate", str(rate)],
            stdout=subprocess.PIPE)

    def result(self):
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=30)
        return json.loads(output)


class Stage:
    def __init__(self, binary, seconds=120, nginx=True, **settings):
        self.binary, self.seconds, self.with_nginx = binary, seconds, nginx
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="nextloop deploy "))  # A path with a space, in every scenario.
        self.directory.chmod(0o755)
        self.state = self.directory / "state"
        self.routing = self.directory / "nginx/routing"
        self.users = self.directory / "users"
        self.loads, self.others = [], []
        self.nginx = None
        self.listen, self.status_port, self.tls, blue, green = free_ports(5)
        self.ports = {"blue": blue, "green": green}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NEXTLOOP_", "BLUE_GREEN_"))},
            "NEXTLOOP_NGINX_LISTEN": f"127.0.0.1:{self.listen}",
            "NEXTLOOP_NGINX_STATUS_LISTEN": f"127.0.0.1:{self.status_port}",
            "NEXTLOOP_NGINX_TLS_LISTEN": f"127.0.0.1:{self.tls}",
            "NEXTLOOP_BLUE_ADDRESS": f"127.0.0.1:{blue}",
            "NEXTLOOP_GREEN_ADDRESS": f"127.0.0.1:{green}",
            "NEXTLOOP_NGINX_ROUTING": "routing",
            "NEXTLOOP_NGINX_ACCESS_LOG": "access.log",
            "NEXTLOOP_NGINX_RATE": "1000000", "NEXTLOOP_NGINX_BURST": "100000",
        }
        prefix = f"{self.directory}/nginx/"
        self.settings = {
            "STATE": self.state, "ROUTING": self.routing,
            "BLUE_ADDRESS": f"127.0.0.1:{blue}", "GREEN_ADDRESS": f"127.0.0.1:{green}",
            "NGINX_STATUS_URL": f"http://127.0.0.1:{self.status_port}",
            "NGINX_TEST": f"nginx -p '{prefix}' -e stderr -c nginx.conf -t",
            # One request; deploy/golden.jsonl has its turn where a deploy is looked at as a whole.
            "GOLDEN": self.directory / "one.jsonl",
            "BINARY": binary, "REGISTRY": self.directory / "models",
            "SERVE_OPTIONS": "--drain-seconds 0.2 --threads 1",
            "WATCH_SECONDS": 1, "KEEP_WARM": "forever", "CANARY_SECONDS": 1, "READY_SECONDS": 10, "STOP_SECONDS": 10,
            # The machine of a test run is shared: latency is judged in the scenarios that are about it.
            "P99_SECONDS_MAX": 5, "P99_TIMES_MAX": 1000, "SAMPLES_MIN": 100, "LOAD_REQUESTS": 400, "OVERLAP_USERS": 20,
            **settings,
        }

    def __enter__(self):
        signal.signal(signal.SIGALRM, self.too_long)
        signal.alarm(self.seconds)
        (self.directory / "one.jsonl").write_text('{"name": "answers", "path": "/recommend?user_id=1", "jq": "(.items | length) > 0"}\n')
        try:
            self.make_registry()
            subprocess.run([REPOSITORY / "nginx/render", self.directory / "nginx"], env=self.environment, check=True)
            if self.with_nginx:
                self.start_nginx()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def too_long(self, *_):
        raise Failed(f"the scenario took more than {self.seconds} s")

    def make_registry(self):
        """Three versions; made once a run, copied for each stage."""
        made = os.environ.get("DEPLOY_TEST_REGISTRY")
        if made:
            shutil.copytree(pathlib.Path(made) / "models", self.directory / "models")
            shutil.copy(pathlib.Path(made) / "orders.csv", self.directory / "orders.csv")
        else:
            make_registry(self.binary, self.directory)
        rows = (self.directory / "orders.csv").read_text(encoding="utf-8").split("\n")[1:400]
        guests = sorted({row.split(",")[3] for row in rows if row.count(",") > 6 and row.split(",")[3].isdigit()})
        expect(len(guests) > 50, "the sample export has guests")
        self.users.write_text("\n".join(guests) + "\n", encoding="ascii")

    def start_nginx(self):
        log = open(self.directory / "nginx/error.log", "wb")
        user = "user root;" if os.getuid() == 0 else ""
        self.nginx = subprocess.Popen(
            ["nginx", "-p", f"{self.directory}/nginx/", "-e", "stderr", "-c", "nginx.conf", "-g", user], stderr=log)
        wait_for(self.nginx_answers, 10, "nginx")

    def nginx_answers(self):
        expect(self.nginx.poll() is None, "nginx ended: " + (self.directory / "nginx/error.log").read_text())
        try:
            return fetch(f"http://127.0.0.1:{self.status_port}/routing")[0] == 200
        except OSError:
            return False

    def __exit__(self, kind, error, trace):
        signal.alarm(0)
        for load in self.loads:
            load.process.kill()
            load.process.wait()
        for process in self.others:
            process.kill()
            process.wait()
        for colour in ("blue", "green"):
            self.kill(colour)
        self.stop_nginx()
        if error is not None:
            print(f"--- {kind.__name__}: {error}\n--- journal", file=sys.stderr)
            journal = self.state / "journal.jsonl"
            print(journal.read_text() if journal.exists() else "none", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop_nginx(self):
        """SIGTERM, not SIGKILL: the workers of a killed master go on for ever."""
        if self.nginx and self.nginx.poll() is None:
            self.nginx.terminate()
            self.nginx.wait(timeout=10)

    # ---- the tool

    def start_tool(self, *arguments, preexec=None, **settings):
        environment = {**self.environment}
        for name, value in {**self.settings, **settings}.items():
            environment[name if name.isupper() and name.startswith(("PATH", "TMPDIR", "FAULT_", "FAKE_", "RUNNER_")) else f"BLUE_GREEN_{name}"] = str(value)
        return subprocess.Popen(
            ["bash", "-c", f'echo $$ >"{self.directory}/tool-session"; exec "$0" "$@"', TOOL, *map(str, arguments)],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=preexec, restore_signals=preexec is None)

    def tool(self, *arguments, wanted=0, preexec=None, **settings):
        """Runs the tool to its end and returns stdout and stderr. `wanted`: its exit status, None for any."""
        process = self.start_tool(*arguments, preexec=preexec, **settings)
        output, errors = process.communicate(timeout=90)
        if wanted is not None:
            expect(process.returncode == wanted,
                   f"blue-green {' '.join(map(str, arguments))}: exit {process.returncode}, wanted {wanted}\n{output}{errors}")
        return output, errors

    def status(self):
        return json.loads(self.tool("status", "--json")[0])

    def step(self):
        """The step that the unfinished deployment is in, None without one."""
        try:
            return (json.loads((self.state / "state.json").read_text())["deployment"] or {}).get("step")
        except FileNotFoundError:
            return None

    def journal(self):
        return [json.loads(line) for line in (self.state / "journal.jsonl").read_text().splitlines()]

    def pid(self, colour):
        try:
            pid, started = (self.state / f"{colour}.pid").read_text().split()
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(") ", 1)[1].split()
        except (OSError, ValueError):
            return None
        return int(pid) if fields[19] == started and fields[0] != "Z" else None

    def kill(self, colour, number=signal.SIGKILL):
        pid = self.pid(colour)
        if pid:
            os.kill(pid, number)

    # ---- load

    def start_load(self, connections=8, rate=0):
        for method in ("GET", "POST"):
            self.loads.append(Load(self, method, connections, rate))
        time.sleep(0.3)

    def stop_load(self, *versions):
        """Ends the load; nothing may be lost, every status is 200, and only these versions may have answered.

        Returns answers by version, of both methods."""
        sums = {}
        for load in self.loads:
            result = load.result()
            print(json.dumps(result))
            expect(result["lost"] == 0, f"lost requests: {result}")
            expect(set(result["statuses"]) == {"200"}, f"statuses: {result}")
            expect(result["requests"] == result["answered"] > 0, f"uncounted requests: {result}")
            for version, count in result["versions"].items():
                sums[version] = sums.get(version, 0) + count
        self.loads = []
        expect(set(sums) <= set(map(str, versions)), f"answers of versions {sums}, wanted {versions}")
        return sums


def make_registry(binary, directory):
    """orders.csv and models/ with versions 1, 2 and 3 of room-service; production names 3."""
    def run(*arguments):
        subprocess.run([binary, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    directory = pathlib.Path(directory)
    orders = directory / "orders.csv"
    run("sample-orders", "--customers", 400, "--orders", 6000, "--seed", 7, "--output", orders)
    for seed in (1, 2, 3):
        run("train", "--orders", orders, "--registry", directory / "models", "--model", "room-service",
            "--factors", 16, "--iterations", 4, "--seed", seed, "--promote", "production")
