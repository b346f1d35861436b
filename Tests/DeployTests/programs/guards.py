"""What must not be stopped: the colour that has the guests, and the only one that answers."""

import fcntl
import os
import signal
import time

from stage import Stage, expect, fake, fetch, scenario, wait_for


def table(stage):
    return os.readlink(stage.routing / "table")


def rename_table(stage, name):
    link = stage.routing / "table.test"
    link.symlink_to(f"tables/{name}")
    link.rename(stage.routing / "table")


def kill_run(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)


@scenario
def taken_back(binary):
    """A run is killed after it took the guests back, a rollback after its rename, and a rename back fails: nobody claims
    that the candidate is live, and nobody stops the colour that is."""
    with Stage(binary, LOAD_REQUESTS=0, SAMPLES_MIN=60, KEEP_WARM=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(connections=4, rate=150)
        misbehave, no_room = stage.directory / "misbehave", stage.directory / "no room"
        shims = stage.directory / "shims"
        shims.mkdir()
        (shims / "ln").write_text(f'#!/bin/bash\n[ ! -e "{no_room}" ] || exit 1\nexec /bin/ln "$@"\n')
        (shims / "ln").chmod(0o755)

        def in_the_watch(**settings):
            misbehave.unlink(missing_ok=True)
            process = stage.start_tool("deploy", "--version", 2, WATCH_SECONDS=30, PATH=f"{shims}:{os.environ['PATH']}", **settings)
            wait_for(lambda: stage.step() == "watch", 30, "the watch")
            return process

        def is_back(errors):
            status = stage.status()
            expect(status["live"] == "blue" and status["colours"][0]["ready"] and status["deployment"] is None, f"{status}\n{errors}")
            expect(status["last"]["result"] == "rolled back" and stage.pid("green") is None, f"{status}\n{errors}")

        # The watch has said no, and the run dies while it drains the candidate, which is well without guests.
        process = in_the_watch(**fake(stage, "errors"))
        misbehave.touch()
        wait_for(lambda: table(stage) == "tables/blue-100", 30, "the way back")
        kill_run(process)
        misbehave.unlink()
        _, errors = stage.tool("deploy", "--version", 2, wanted=1)
        expect("more errors than" in errors, errors)
        is_back(errors)

        # A rollback dies between its rename and the rest.
        kill_run(in_the_watch())
        rename_table(stage, "blue-100")
        _, errors = stage.tool("deploy", wanted=1)
        expect("all guests are on blue" in errors, errors)
        is_back(errors)

        # A rollback that could not rename the table is brought to its end by the next run, whatever that is.
        kill_run(in_the_watch())
        no_room.touch()
        _, errors = stage.tool("rollback", wanted=74, PATH=f"{shims}:{os.environ['PATH']}")
        expect("cannot rename" in errors and stage.step() == "give-up", errors)
        no_room.unlink()
        _, errors = stage.tool("deploy", wanted=1)
        expect("asked for by" in errors, errors)
        is_back(errors)

        # The table cannot be renamed back: nothing is claimed, nothing is stopped, and the same command brings it to its end.
        process = in_the_watch(**fake(stage, "errors"))
        no_room.touch()
        misbehave.touch()
        _, errors = process.communicate(timeout=40)
        expect(process.returncode == 74 and "cannot rename" in errors and "blue again" not in errors, f"exit {process.returncode}\n{errors}")
        expect(table(stage) == "tables/green-100" and stage.pid("green") is not None and stage.step() == "give-up", f"{stage.status()}")
        no_room.unlink()
        _, errors = stage.tool("deploy", wanted=1)
        is_back(errors)
        stage.stop_load(1, 2)  # nginx's second try has hidden the candidate's errors.


@scenario
def last_that_answers(binary):
    """The live colour is dead and the other one answers in its place: at the end of its warm time, in a clean-up, for `stop`."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0, OVERLAP_USERS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(connections=4, rate=150)
        process = stage.start_tool("deploy", "--version", 2, "--keep-warm", 3)
        wait_for(lambda: (stage.state / "journal.jsonl").read_text().count('"event":"warm"') == 1, 30, "the warm time")
        stage.kill("green")
        _, errors = process.communicate(timeout=30)
        expect(process.returncode == 0 and "green does not answer, and nginx asks blue in its place" in errors, f"exit {process.returncode}\n{errors}")
        status, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
        expect(status == 200 and headers["X-Model-Version"] == "1", f"{status} {headers}")
        expect(stage.status()["warm"]["colour"] == "blue", f"{stage.status()}")
        _, errors = stage.tool("stop", "blue", wanted=65)
        expect("green does not answer" in errors and "'blue-green switch blue'" in errors, errors)
        stage.tool("switch", "blue")

        # A deploy dies in its checks, then the live colour, and another version is asked for.
        golden = stage.directory / "golden.jsonl"
        golden.write_text('{"name": "answers", "path": "/recommend?user_id=1"}\n' * 400)
        process = stage.start_tool("deploy", "--version", 2, GOLDEN=golden)
        wait_for(lambda: stage.step() == "check", 30, "the checks")
        kill_run(process)
        stage.kill("blue")
        _, errors = stage.tool("deploy", "--version", 3)
        expect("green is the only colour that answers: it is kept" in errors and "making it official" in errors, errors)
        expect(stage.status()["routed"] == "blue 100", f"{stage.status()}")

        # `stop` waits for the lock, and another run sends the guests to its colour meanwhile.
        stage.tool("deploy", "--version", 2)
        with open(stage.state / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = stage.start_tool("stop", "green")
            time.sleep(0.7)
            rename_table(stage, "green-100")
        _, errors = process.communicate(timeout=30)
        expect(process.returncode == 65 and "guests are on green" in errors, f"exit {process.returncode}\n{errors}")
        stage.stop_load(1, 2, 3)


@scenario
def table_lost(binary):
    """Without a table nginx goes by what it started with: that colour is live, and no deploy stops it."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(connections=4, rate=150)
        (stage.routing / "table").unlink()
        expect(stage.status()["live"] == "blue", f"{stage.status()}")
        for arguments in (["stop", "blue"], ["drain", "blue"]):
            _, errors = stage.tool(*arguments, wanted=65)
            expect("guests are on blue" in errors, errors)
        _, errors = stage.tool("deploy", "--version", 2)
        expect("no routing table, and guests are on blue" in errors and stage.status()["routed"] == "green 100", errors)
        # nginx would go to blue, which is dead, and asks green: green is the one to keep.
        (stage.routing / "table").unlink()
        stage.kill("blue")
        stage.tool("deploy", "--version", 3)
        deploys = [event["from"] for event in stage.journal() if event["event"] == "deploy"]
        expect(deploys == ["", "blue", "green"] and stage.status()["routed"] == "blue 100", f"{deploys}")
        stage.stop_load(1, 2, 3)


@scenario
def lost_probe(binary):
    """The live colour does not answer for four seconds when a deploy begins: it stays the live one, with and without another."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0, OVERLAP_USERS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        for version, warm, live in (("3", True, "green"), ("1", False, "blue")):
            if not warm:
                stage.tool("stop", "green")
            stage.kill(live, signal.SIGSTOP)
            process = stage.start_tool("deploy", "--version", version)
            time.sleep(4)
            stage.kill(live, signal.SIGCONT)
            _, errors = process.communicate(timeout=40)
            expect(process.returncode == 0 and "making it official" not in errors, f"exit {process.returncode}\n{errors}")
            event = [event for event in stage.journal() if event["event"] == "deploy"][-1]
            expect(event["from"] == live and event["colour"] != live, f"{event}")
