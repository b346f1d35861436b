"""What goes wrong at three in the morning: each with a message that says what to do next, and without a lost request."""

import http.server
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import threading
import time

from stage import TOOL, Stage, expect, fake, fetch, scenario, wait_for


def full_disk():
    """No byte more into any file, as on a full disk; names still fit into directories. For this process and its children."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def files_of(directory):
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file() and path.name not in ("lock", "tool.pid")}


@scenario
def disk_full(binary):
    """Before a deploy, in its watch and at a rollback: guests are moved all the same, and no file is left half-written."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        stage.start_load(rate=300)
        before = files_of(stage.state)
        _, errors = stage.tool("deploy", "--version", 3, wanted=74, preexec=full_disk)
        expect("cannot write" in errors and "state.json" in errors and "make room, then the same command again" in errors, errors)
        expect(files_of(stage.state) == before and stage.pid("blue") is not None, "nothing was started or stopped")

        _, errors = stage.tool("rollback", wanted=74, preexec=full_disk)
        expect("all guests are on blue" in errors, errors)
        expect(os.readlink(stage.routing / "table") == "tables/blue-100", "the guests are back")
        expect((stage.routing / "live-colour.inc").read_text().endswith("set $nextloop_colour green;\n"), "what nginx includes is whole")
        expect(files_of(stage.state) == before, "the state is whole")
        # With room again, the same command brings it to its end; no place for temporary files is no obstacle.
        stage.tool("rollback", TMPDIR=stage.directory / "nowhere")
        expect(stage.status()["last"]["result"] == "rolled back", f"{stage.status()}")
        expect((stage.routing / "live-colour.inc").read_text().endswith("set $nextloop_colour blue;\n"), "nginx would start with blue")

        # The disk fills while a candidate is watched, and the candidate dies.
        def signals_only():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        process = stage.start_tool("deploy", "--version", 3, WATCH_SECONDS=30, preexec=signals_only)
        wait_for(lambda: stage.step() == "watch", 30, "the watch")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        stage.kill("green")
        _, errors = process.communicate(timeout=30)
        expect(process.returncode == 74 and "it crashed" in errors and "make room" in errors, f"exit {process.returncode}\n{errors}")
        expect(os.readlink(stage.routing / "table") == "tables/blue-100", "the guests are back")
        stage.tool("rollback")
        status = stage.status()
        expect(status["deployment"] is None and status["live"] == "blue" and status["colours"][0]["ready"], f"{status}")
        stage.stop_load(1, 2, 3)


@scenario
def live_colour_dies(binary):
    """The live colour is killed while a candidate is looked at: the candidate is all there is, and nothing may stop it."""
    with Stage(binary, CANARY_SECONDS=20, SAMPLES_MIN=100000, LOAD_REQUESTS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(rate=400)
        # In the canary.
        process = stage.start_tool("deploy", "--version", 2, "--canary", "5,50")
        wait_for(lambda: stage.step() == "canary" and os.readlink(stage.routing / "table") == "tables/green-5", 30, "the canary")
        stage.kill("blue")
        _, errors = process.communicate(timeout=40)
        expect(process.returncode == 0 and "blue has stopped answering" in errors, f"exit {process.returncode}\n{errors}")
        expect(stage.status()["routed"] == "green 100", f"{stage.status()}")
        # In the checks, before the overlap is asked for.
        golden = stage.directory / "golden.jsonl"
        golden.write_text('{"name": "answers", "path": "/recommend?user_id=1"}\n' * 20)
        process = stage.start_tool("deploy", "--version", 1, GOLDEN=golden)
        wait_for(lambda: stage.step() == "check", 30, "the checks")
        stage.kill("green")
        _, errors = process.communicate(timeout=40)
        expect(process.returncode == 0 and ("no guests to compare with" in errors or "nothing to compare with" in errors), errors)
        expect(stage.status()["routed"] == "blue 100", f"{stage.status()}")
        stage.stop_load(1, 2)
        # A candidate that is refused while the live colour dies: it is bad, and better than nothing.
        golden.write_text(golden.read_text() + '{"name": "no such item", "path": "/recommend?user_id=1", "jq": ".items == []"}\n')
        process = stage.start_tool("deploy", "--version", 2, GOLDEN=golden)
        wait_for(lambda: stage.step() == "check", 30, "the checks")
        stage.kill("blue")
        _, errors = process.communicate(timeout=40)
        expect(process.returncode == 1 and "green keeps running" in errors and "no such item" in errors, f"exit {process.returncode}\n{errors}")
        status, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
        expect(status == 200 and headers["X-Model-Version"] == "2", f"{status} {headers}")
        # The next deploy makes it official and goes on from there.
        _, errors = stage.tool("deploy", "--version", 1)
        expect("making it official" in errors and stage.status()["live"] == "blue", errors)


@scenario
def both_colours_dead(binary):
    """Nothing answers: a rollback says so and what to do, a deploy brings the guests back, whatever stands in the state."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        stage.kill("green")
        stage.kill("blue")
        # The former colour was stopped, or died: a rollback starts it again; unless its version has gone from the registry.
        away = stage.directory / "away"
        (stage.directory / "models/room-service/1").rename(away)
        _, errors = stage.tool("rollback", wanted=1)
        expect("blue does not come back with version 1" in errors and "'blue-green deploy --version N'" in errors, errors)
        away.rename(stage.directory / "models/room-service/1")
        output, _ = stage.tool("rollback")
        expect(output == "rolled back to blue version 1\n", output)
        stage.kill("blue")
        expect(fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")[0] == 502, "nothing answers")
        _, errors = stage.tool("rollback", wanted=65)
        expect("nothing to roll back to" in errors and "'blue-green deploy --version N'" in errors, errors)
        stage.tool("deploy", "--version", 2)
        status, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
        expect(status == 200 and headers["X-Model-Version"] == "2", f"{status} {headers}")


@scenario
def two_operators(binary):
    """Two rollbacks at once, a webhook that hangs, a lock whose owner is dead or a stranger."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        hanging = threading.Event()

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                hanging.set()
                time.sleep(20)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        webhook = stage.directory / "webhook"
        webhook.write_text(f"http://127.0.0.1:{server.server_port}/services/T0/B0/SECRET\n")
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        stage.start_load(rate=300)
        one = stage.start_tool("rollback", SLACK_WEBHOOK_FILE=webhook, SLACK_SECONDS=2)
        expect(hanging.wait(20), "the first rollback tells Slack")
        output, errors = stage.tool("rollback")
        expect("a rollback runs already" in errors and "rolled back already" in output, f"{output}{errors}")
        said, _ = one.communicate(timeout=20)
        expect(one.returncode == 0 and said == "rolled back to blue version 1\n", f"exit {one.returncode} {said}")
        expect(stage.status()["routed"] == "blue 100", "not back and forth")
        server.shutdown()
        server.server_close()

        # The id in tool.pid belongs to another process by now: nobody is killed for it.
        (stage.state / "tool.pid").write_text(f"{os.getpid()} 12345 deploy\n")
        stage.tool("deploy", "--version", 3)
        # Somebody else has the lock file open and locked, an orphan say.
        (stage.state / "tool.pid").write_text(f"{os.getpid()} 12345 deploy\n")
        stranger = subprocess.Popen(["flock", stage.state / "lock", "sleep", "60"])
        stage.others.append(stranger)
        wait_for(lambda: subprocess.run(["flock", "-n", stage.state / "lock", "true"], check=False).returncode == 1, 10, "the stranger's lock")
        for arguments in (["deploy", "--version", "1"], ["rollback"]):
            _, errors = stage.tool(*arguments, wanted=75)
            expect("not by a run of blue-green that still lives" in errors and "fuser -v" in errors, errors)
        subprocess.run(["pkill", "-KILL", "-P", str(stranger.pid)], check=True)  # Its child, which holds the file as well.
        stage.stop_load(1, 2, 3)


@scenario
def nginx_is_away(binary):
    """nginx is down before a deploy, is restarted in one, and is down at a rollback: said at once, and true afterwards."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        process = stage.start_tool("deploy", "--version", 2, WATCH_SECONDS=4)
        wait_for(lambda: stage.step() == "watch", 30, "the watch")
        stage.stop_nginx()
        stage.start_nginx()
        _, errors = process.communicate(timeout=30)
        expect(process.returncode == 0, errors)
        expect(stage.status()["nginx"]["colour"] == "green", "the new nginx follows the table")

        stage.stop_nginx()
        _, errors = stage.tool("deploy", "--version", 3, wanted=65)
        expect("nginx does not answer" in errors and "Start it first" in errors, errors)
        expect(stage.step() is None and stage.pid("blue") is not None, "nothing was begun")
        _, errors = stage.tool("switch", wanted=1)
        expect("the switch did not take effect: nginx does not answer" in errors, errors)
        expect(os.readlink(stage.routing / "table") == "tables/green-100", "the table is as it was")
        # A rollback moves the table, for the nginx that comes back, and does not say that all is well.
        output, errors = stage.tool("rollback", wanted=1)
        expect("the table sends all guests to blue, but nginx does not answer" in errors and "rolled back to" not in output, f"{output}{errors}")
        stage.start_nginx()
        status, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
        expect(status == 200 and headers["X-Model-Version"] == "1", f"{status} {headers}")
        expect("rolled back already" in stage.tool("rollback")[0], "said again")


@scenario
def state_lost(binary):
    """The state directory is lost, or its file damaged: the guests stay where they are, and the way on is said."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        stage.start_load(rate=300)
        pids = {colour: stage.pid(colour) for colour in ("blue", "green")}
        whole = (stage.state / "state.json").read_bytes()
        for damaged in (b"", whole[:40], b"[]\n"):
            (stage.state / "state.json").write_bytes(damaged)
            for command in ("status", "deploy", "rollback"):
                _, errors = stage.tool(command, wanted=65)
                expect("is not the JSON object" in errors and "all guests are on green" in errors and "state.json.bad" in errors, errors)
        shutil.rmtree(stage.state)
        try:
            status = stage.status()
            expect(status["live"] == "green" and all(colour["ready"] for colour in status["colours"]), f"{status}")
            _, errors = stage.tool("rollback", wanted=65)
            expect("nothing to roll back to" in errors and "'blue-green switch blue' sends the guests there" in errors, errors)
            stage.tool("switch", "blue")
            # A colour that nobody knows holds its port: named, and how to end it.
            _, errors = stage.tool("deploy", "--version", 3, wanted=1)
            expect(f"process {pids['green']}" in errors and f"'kill {pids['green']}'" in errors, errors)
        finally:
            os.kill(pids["green"], signal.SIGTERM)
        wait_for(lambda: not pathlib.Path(f"/proc/{pids['green']}").exists(), 10, "green's end")
        try:
            stage.tool("deploy", "--version", 3)
            expect(stage.status()["live"] == "green", "green has version 3")
        finally:
            os.kill(pids["blue"], signal.SIGTERM)
        stage.stop_load(1, 2, 3)
        # A table that this tool did not make is not taken for "no colour is live".
        table = stage.routing / "table"
        for target in ("/somewhere/else", "tables/green-250", "tables/green-101", "tables/green-0", "tables/green-05"):
            table.unlink()
            table.symlink_to(target)
            for arguments in (["deploy", "--version", 1], ["status"]):
                _, errors = stage.tool(*arguments, wanted=65)
                expect(f"points to '{target}'" in errors, errors)


@scenario
def interrupted(binary):
    """SIGINT and SIGTERM in each step say what comes next, and a lost terminal ends nothing."""
    with Stage(binary, WATCH_SECONDS=30, CANARY_SECONDS=30, LOAD_REQUESTS=0, READY_SECONDS=30) as stage:
        stage.tool("deploy", "--version", 1, WATCH_SECONDS=0)
        stage.start_load(rate=300)
        golden = stage.directory / "golden.jsonl"
        golden.write_text('{"name": "answers", "path": "/recommend?user_id=1"}\n' * 400)

        def until(step, number, *arguments, **settings):
            process = stage.start_tool("deploy", "--version", 2, *arguments, **settings)
            wait_for(lambda: stage.step() == step, 30, step)
            time.sleep(0.3)
            # The whole foreground group, as a terminal does it.
            os.killpg(process.pid, number)
            _, errors = process.communicate(timeout=20)
            expect(process.returncode == 130, f"{step}: exit {process.returncode}\n{errors}")
            expect(f"in step {step}: 'blue-green deploy' goes on there, 'blue-green rollback' takes it back" in errors, f"{step}:\n{errors}")
            expect(stage.journal()[-1]["event"] == "interrupted", "the journal has it too")

        def taken_back():
            stage.tool("rollback")
            status = stage.status()
            expect(status["routed"] == "blue 100" and status["deployment"] is None and stage.pid("green") is None, f"{status}")

        until("start", signal.SIGTERM, **fake(stage, "unready"))
        taken_back()
        until("check", signal.SIGINT, GOLDEN=golden)
        taken_back()
        until("canary", signal.SIGTERM, "--canary", "50")
        _, errors = stage.tool("deploy", "--version", 33, wanted=65)
        expect("no version 33 of room-service" in errors and stage.step() == "canary", errors)
        taken_back()
        until("watch", signal.SIGINT)
        # A terminal that closes is not an operator who says stop: the deploy goes on, and is what the runner must not kill.
        process = stage.start_tool("deploy", "--watch", "2", "--keep-warm", "60", RUNNER_TRACKING_ID="github_0")
        wait_for(lambda: stage.journal()[-1]["event"] == "resume", 30, "the second run")
        process.stderr.close()
        os.killpg(process.pid, signal.SIGHUP)
        wait_for(lambda: stage.step() is None, 30, "the end of the deploy")
        wait_for(lambda: stage.journal()[-1]["step"] == "warm", 10, "the wait")
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)
        last = stage.journal()[-1]
        expect("the deploy is done; the former colour stays warm" in last["reason"], f"{last}")
        expect(stage.status()["routed"] == "green 100" and stage.pid("blue") is not None, f"{stage.status()}")
        # What a CI runner ends with its job is known by a variable that a colour must not carry.
        stage.tool("deploy", "--version", 3, WATCH_SECONDS=0, RUNNER_TRACKING_ID="github_0")
        environment = pathlib.Path(f"/proc/{stage.pid('blue')}/environ").read_bytes()
        # Nor may it hold what the tool had open: a lock that never ends, a pipe that a CI job waits for.
        held = held_by(stage.pid("blue"))
        expect(not any(str(stage.state / "lock") in name or name.startswith("pipe:") for name in held), f"{held}")
        expect(b"PATH=" in environment and b"RUNNER_TRACKING_ID" not in environment, f"{environment}")
        stage.stop_load(1, 2, 3)


def held_by(pid):
    """The files that a process has open."""
    return {os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}


@scenario
def nobody_listens(binary):
    """A caller that has closed the tool's output, or whose output takes no byte: the deploy goes on and the journal has it.
    What else the caller has open, and where it stands, does not live on in a colour."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        kept = stage.directory / "kept"
        kept.mkdir()

        def run(redirections, *arguments, wanted=(0,)):
            count = len(stage.journal())
            environment = {**stage.environment, **{f"BLUE_GREEN_{name}": str(value) for name, value in stage.settings.items()}}
            done = subprocess.run(["bash", "-c", f'exec "$@" {redirections} 7>"{kept}/seven" 77>"{kept}/more"', "-", TOOL, *map(str, arguments)],
                                  cwd=kept, env=environment, stdin=subprocess.DEVNULL, timeout=60, check=False)
            expect(done.returncode in wanted, f"{redirections} {arguments}: exit {done.returncode}")
            return [event["event"] for event in stage.journal()[count:]], stage.status()["last"]["result"]

        for version, redirections in ((2, ">&- 2>&- <&-"), (3, ">/dev/full 2>/dev/full"), (2, "2>&-"), (1, ">&-")):
            events, result = run(redirections, "deploy", "--version", version)
            expect(events[0] == "deploy" and events[-1] == "deployed" and result == "deployed", f"{redirections}: {events} {result}")
            live = stage.status()["live"]
            expect(not any(name.startswith(str(kept)) for name in held_by(stage.pid(live))), f"{held_by(stage.pid(live))}")
            expect(os.readlink(f"/proc/{stage.pid(live)}/cwd") == "/", "the directory of a colour")
        events, result = run(">&- 2>&-", "rollback")
        expect("rolled-back" in events and result == "rolled back", f"{events} {result}")
        # An answer that cannot be written is none.
        for arguments in (["status"], ["status", "--json"]):
            run(">/dev/full 2>/dev/full", *arguments, wanted=(1, 2))


@scenario
def clock_set_back(_):
    """Waits go by the seconds since the machine started; the time of day is for people."""
    library = pathlib.Path(__file__).resolve().parents[3] / "deploy/lib"
    for file in sorted(library.glob("*.sh")):
        code = [line.split("# ")[0] for line in file.read_text(encoding="utf-8").split("\n")]
        expect(not any("$SECONDS" in line or "SECONDS -" in line for line in code), f"{file.name} waits by SECONDS, which follows the time of day")
    # A clock that was set back an hour since the deploy began, in another run perhaps: no negative duration, and no failure.
    said = subprocess.run(["bash", "-euo", "pipefail", "-c",
                           '. "$0/journal.sh"; printf "%s " "$(since $((${EPOCHREALTIME%.*} + 3600)).000000)"; before=$(clock); sleep 1.1; echo $(($(clock) - before))',
                           library], capture_output=True, text=True, check=False)
    expect(said.returncode == 0 and said.stdout.split()[0] == "0.0" and int(said.stdout.split()[1]) >= 1, f"{said}")
