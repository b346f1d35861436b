#!/usr/bin/env python3
"""The deployment scenarios, with real nginx, the real tool and the built nextloop under constant counted load.

usage: scenarios.py NAME --binary PATH    one scenario; prints what was counted; exits with 1 and the journal when it fails
       scenarios.py --list                their names
       scenarios.py --make-registry DIR --binary PATH
"""

import argparse
import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import guards  # noqa: F401  Their scenarios join the others.
import night  # noqa: F401
import refusals  # noqa: F401
import verdicts  # noqa: F401
from stage import REPOSITORY, SCENARIOS, Failed, Stage, expect, fake, fetch, free_ports, make_registry, scenario, wait_for


@scenario
def switches(binary):
    """A hundred renames of the table, three switches and a rollback by the tool, flat out: nothing is lost."""
    with Stage(binary) as stage:
        stage.tool("deploy", "--version", 1, LOAD_REQUESTS=0)
        stage.tool("deploy", "--version", 2, LOAD_REQUESTS=0)
        stage.start_load(connections=16)
        for turn in range(100):
            link = stage.routing / "table.test"
            link.symlink_to(f"tables/{('blue', 'green')[turn % 2]}-100")
            link.rename(stage.routing / "table")
            time.sleep(0.02)
        for _ in range(3):
            stage.tool("switch")
        stage.tool("rollback")
        counted = stage.stop_load(1, 2)
        expect(min(counted.values()) > 500, f"both colours took part: {counted}")


@scenario
def deploy_with_canary_and_rollback(binary):
    """Every guest is answered through a deploy with canary steps; the former colour takes over again in under two seconds."""
    with Stage(binary, GOLDEN="", CANARY_SECONDS=2) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(rate=600)
        stage.tool("deploy", "--version", 2, "--canary", "5,25,50")
        events = stage.journal()
        verdicts = [(e["percent"], e["verdict"]) for e in events if e["event"] == "canary" and "percent" in e]
        expect(verdicts == [("5", "pass"), ("25", "pass"), ("50", "pass")], f"canary verdicts {verdicts}")
        steps = list(dict.fromkeys(e["step"] for e in events if e["step"] and e["deployment"] == events[-1]["deployment"]))
        expect(steps == ["start", "check", "canary", "switch", "watch", "drain", "done"], f"steps {steps}")
        expect(all(e["time"] and e["reason"] for e in events), "every line has its time and reason")
        # A mistyped version does not cost the warm colour.
        warm = stage.pid("blue")
        _, errors = stage.tool("deploy", "--version", 33, wanted=65)
        expect("no version 33 of room-service" in errors and warm is not None and stage.pid("blue") == warm, errors)
        stage.tool("rollback")
        seconds = float([e for e in stage.journal() if e["event"] == "rolled-back"][0]["seconds"])
        expect(seconds < 2, f"the rollback took {seconds} s")
        expect(stage.status()["live"] == "blue", "blue is live again")
        # A second one, by another operator perhaps, does not send the guests forth again.
        output, _ = stage.tool("rollback")
        expect("rolled back already" in output and "'blue-green switch green' sends the guests there" in output, output)
        expect(stage.status()["routed"] == "blue 100", "blue is still live")
        # A colour that was stopped comes back too.
        stage.tool("switch", "green")
        stage.tool("stop", "blue")
        stage.tool("rollback")
        expect(stage.status()["live"] == "blue", "blue was started again for the rollback")
        stage.stop_load(1, 2)


@scenario
def refused_candidates(binary):
    """A bad model, a missing version, a taken port, a crash at the start, a colour that is never ready: no guest notices."""
    with Stage(binary) as stage:
        stage.tool("deploy", "--version", 1)
        model = stage.directory / "models/room-service/3/model.safetensors"
        model.write_bytes(model.read_bytes()[:-100] + b"\0" * 100)
        stage.start_load(rate=300)

        def refused(reason, *arguments, **settings):
            _, errors = stage.tool("deploy", *arguments, wanted=1, **settings)
            expect(reason in errors, f"wanted '{reason}' in:\n{errors}")
            after = stage.status()
            expect(after["live"] == "blue" and after["last"]["result"] == "refused", f"{after}")
            expect(after["deployment"] is None, "nothing is left unfinished")
            expect(stage.pid("green") is None, "the candidate is stopped")

        refused("it ended while starting", "--version", 3)
        refused("cannot start today", "--version", 2, **fake(stage, "exit"))
        refused("not ready after 8 s: Not today.", "--version", 2, READY_SECONDS=8, **fake(stage, "unready"))
        refused("overlap@10 with blue is", "--version", 2, OVERLAP_MIN=1)
        golden = stage.directory / "golden.jsonl"
        golden.write_text('{"name": "no such item", "path": "/recommend?user_id=[1-3]{a,b}", "jq": ".user_id != \\"[1-3]{a,b}\\""}\n')
        refused("golden requests: 1 of 1 wrong: no such item: the answer is not such", "--version", 2, GOLDEN=golden)
        stranger = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(stage.ports["green"]), "--bind", "127.0.0.1"],
            cwd=stage.routing, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stage.others.append(stranger)
        wait_for(lambda: subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{stage.ports['green']}/"],
                                        check=False).returncode == 0, 10, "the stranger")
        refused("is taken by a program that is not ours", "--version", 2)
        expect(stranger.poll() is None, "the stranger lives")
        expect(list(stage.stop_load(1)) == ["1"], "only the live version answered")


@scenario
def killed_colours(binary):
    """kill -9 of the idle colour, of the live one, and of the new one while it is watched: nginx asks the other colour."""
    with Stage(binary) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2)
        stage.start_load(rate=300)
        stage.kill("blue")  # the warm one
        time.sleep(0.5)
        stage.tool("deploy", "--version", 3)  # to blue; green stays warm
        stage.kill("blue")  # the live one: green answers in its place
        time.sleep(1)
        status = stage.status()
        expect(status["live"] == "blue" and not status["colours"][0]["ready"], f"{status}")
        # The next deploy sees that green is the one that answers, and does not stop it.
        process = stage.start_tool("deploy", "--version", 1, WATCH_SECONDS=30)
        wait_for(lambda: stage.step() == "watch", 30, "the watch")
        time.sleep(0.5)
        stage.kill("blue")
        _, errors = process.communicate(timeout=30)
        expect(process.returncode == 1 and "it crashed" in errors, f"exit {process.returncode}\n{errors}")
        status = stage.status()
        expect(status["live"] == "green" and status["last"]["result"] == "rolled back", f"{status}")
        counted = stage.stop_load(1, 2, 3)
        expect(set(counted) == {"1", "2", "3"}, f"all three versions answered: {counted}")


@scenario
def misbehaving_candidates(binary):
    """Errors, slowness and a crash under guests' traffic take the candidate back, in the watch and in the canary."""
    with Stage(binary, P99_SECONDS_MAX=0.3) as stage:
        stage.tool("deploy", "--version", 1, P99_SECONDS_MAX=5)
        stage.start_load(connections=4, rate=150)
        misbehave = stage.directory / "misbehave"

        def taken_back(mode, step, reason, *arguments, **settings):
            misbehave.unlink(missing_ok=True)
            process = stage.start_tool("deploy", "--version", 2, *arguments, WATCH_SECONDS=20, SAMPLES_MIN=60,
                                       LOAD_REQUESTS=0, **fake(stage, mode), **settings)
            wait_for(lambda: stage.step() == step and
                     (step != "canary" or os.readlink(stage.routing / "table").endswith("-50")), 30, step)
            misbehave.touch()
            _, errors = process.communicate(timeout=40)
            expect(process.returncode == 1 and reason in errors, f"{mode}: exit {process.returncode}\n{errors}")
            after = stage.status()
            expect(after["live"] == "blue" and after["last"]["result"] == "rolled back", f"{after}")
            expect(stage.pid("green") is None, "the candidate is stopped")

        taken_back("errors", "watch", "more errors than")
        taken_back("slow", "watch", "slower than 0.3 s")
        taken_back("crash", "watch", "it crashed")
        taken_back("errors", "canary", "more errors than", "--canary", "50", CANARY_SECONDS=15)
        taken_back("crash", "canary", "it crashed", "--canary", "50", CANARY_SECONDS=15)
        stage.stop_load(1, 2)


def dead_or_fine(stage, versions):
    """After a killed run: guests are answered now, and the state is one that the next run understands."""
    status, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
    expect(status == 200 and headers["X-Model-Version"] in versions, f"{status} {headers}")


def tool_killed(binary, first):
    """Kills the tool before every second rename that a deploy makes, from the `first` on, and lets another run follow."""
    with Stage(binary, seconds=270, WATCH_SECONDS=0, CANARY_SECONDS=1, LOAD_REQUESTS=0, SAMPLES_MIN=10, OVERLAP_USERS=0) as stage:
        shims = stage.directory / "shims"
        shims.mkdir()
        counter = stage.directory / "renames"
        # Counts the calls of mv, by the tool and by the process that becomes the candidate; at the chosen one, ends the
        # tool and all its children. The candidate has a session of its own and lives.
        (shims / "mv").write_text(f"""#!/bin/bash
echo >>"{counter}"
if [ "$FAULT_AT" = "$(wc -l <"{counter}")" ]; then
    kill -KILL -- "-$(cat "{stage.directory}/tool-session")"
    [ "$(ps -o sid= -p $$ | tr -d ' ')" != "$(cat "{stage.directory}/tool-session")" ] || sleep 5
fi
exec /bin/mv "$@"
""")
        (shims / "mv").chmod(0o755)
        path = f"{shims}:{os.environ['PATH']}"
        stage.tool("deploy", "--version", 1)
        stage.start_load(connections=4, rate=100)
        current, points, seen = "1", 0, set()
        for point in range(first, 200, 2):
            version = "2" if current != "2" else "1"
            counter.write_text("")
            process = stage.start_tool("deploy", "--version", version, "--canary", "50", PATH=path, FAULT_AT=point)
            process.communicate(timeout=60)
            code, headers, _ = fetch(f"http://127.0.0.1:{stage.listen}/recommend?user_id=1")
            expect(code == 200 and headers["X-Model-Version"] in (current, version), f"rename {point}: {code} {headers}")
            if process.returncode == 0:
                break  # A deploy makes fewer renames than this: every one has been a point.
            points += 1
            step = stage.step()
            # In turn: the same deploy goes on, another version is asked for, the guests are taken back.
            if points % 3 == 0:
                _, errors = stage.tool("deploy", "--version", version, "--canary", "50")
                seen.add("resumed" if "going on there" in errors else "new")
                expect(("going on there" in errors) == (step is not None), f"rename {point}, step {step}:\n{errors}")
            elif points % 3 == 1:
                _, errors = stage.tool("deploy", "--version", 3 if current != "3" else 2)
                seen.add("cleaned up" if "left unfinished" in errors else "new")
                expect(("left unfinished" in errors) == (step is not None), f"rename {point}, step {step}:\n{errors}")
            else:
                _, errors = stage.tool("rollback", wanted=None)
                seen.add("taken back" if "left unfinished" in errors else "nothing to take back")
            after = stage.status()
            expect(after["deployment"] is None, f"rename {point}: {after}")
            live = next(colour for colour in after["colours"] if colour["colour"] == after["live"])
            expect(live["ready"], f"rename {point}: the live colour is not ready: {after}")
            current = live["version"]
        print(f"killed at {points} renames: {sorted(seen)}")
        expect(points >= 6 and {"resumed", "cleaned up", "taken back"} <= seen, f"{points} points, {seen}")
        stage.stop_load(1, 2, 3)


@scenario
def tool_killed_at_odd_renames(binary):
    """A run killed at the first, third, fifth... rename leaves what the next run continues, cleans up or takes back."""
    tool_killed(binary, 1)


@scenario
def tool_killed_at_even_renames(binary):
    """The same at the second, fourth, sixth... rename."""
    tool_killed(binary, 2)


@scenario
def one_at_a_time(binary):
    """A second deploy is refused, a rollback ends the first one, and what it leaves is clean."""
    with Stage(binary) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(rate=500)
        first = stage.start_tool("deploy", "--version", 2, WATCH_SECONDS=60)
        wait_for(lambda: stage.status()["live"] == "green", 30, "the switch")
        _, errors = stage.tool("deploy", "--version", 3, wanted=75)
        expect("another run holds" in errors, errors)
        began = time.monotonic()
        stage.tool("rollback")
        first.communicate(timeout=10)
        expect(first.returncode not in (0, None), "the deploy was ended")
        event = [e for e in stage.journal() if e["event"] == "rolled-back"][-1]
        expect(float(event["seconds"]) < 2, f"{event}, {time.monotonic() - began} s in all")
        status = stage.status()
        expect(status["live"] == "blue" and status["deployment"] is None, f"{status}")
        expect(stage.pid("green") is None, "the candidate is stopped")
        for arguments, code in ((["stop", "blue"], 65), (["drain", "blue"], 65), (["switch", "green"], 65), (["switch", "blue"], 0)):
            stage.tool(*arguments, wanted=code)
        stage.stop_load(1, 2)


@scenario
def too_little_traffic(binary):
    """Without guests a canary is judged on synthetic traffic; without any numbers the verdict is neither yes nor no."""
    with Stage(binary) as stage:
        stage.tool("deploy", "--version", 1)
        stage.tool("deploy", "--version", 2, "--canary", "10")
        verdicts = [(e["verdict"], e.get("synthetic")) for e in stage.journal() if e["event"] == "canary"]
        expect(verdicts == [("not-enough-traffic", None), ("pass", "yes")], f"{verdicts}")
        (nowhere,) = free_ports(1)
        _, errors = stage.tool("deploy", "--version", 3, "--canary", "10", wanted=3, CANARY_SECONDS=1,
                               PROMETHEUS_URL=f"http://127.0.0.1:{nowhere}")
        status = stage.status()
        expect(status["last"]["result"] == "inconclusive" and status["live"] == "green", f"{status}\n{errors}")
        expect(status["routed"] == "green 100", "all guests are back")
        expect(f"Prometheus does not answer at http://127.0.0.1:{nowhere}" in status["last"]["reason"], f"{status}")


@scenario
def judged_by_prometheus(binary):
    """The canary's queries run against a real Prometheus that scrapes both colours, and pass and fail by its numbers."""
    with Stage(binary, seconds=150) as stage:
        (port,) = free_ports(1)
        configuration = stage.directory / "prometheus.yml"
        targets = "".join(f'      - {{targets: ["127.0.0.1:{p}"], labels: {{colour: {c}}}}}\n' for c, p in stage.ports.items())
        configuration.write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                                 f"  - job_name: nextloop\n    static_configs:\n{targets}")
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={stage.directory}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL)
        stage.others.append(prometheus)
        stage.tool("deploy", "--version", 1)
        stage.start_load(rate=400)
        url = f"http://127.0.0.1:{port}"
        settings = {"PROMETHEUS_URL": url, "CANARY_SECONDS": 8}
        stage.tool("deploy", "--version", 2, "--canary", "50", **settings)
        line = [e["reason"] for e in stage.journal() if e.get("verdict") == "pass" and e["event"] == "canary"]
        expect(len(line) == 1 and " 0 requests" not in line[0], f"{line}")
        # The same queries with a bound that the colour cannot keep: 0 seconds.
        _, errors = stage.tool("deploy", "--version", 3, "--canary", "50", wanted=1, P99_SECONDS_MAX="0.000001", LOAD_REQUESTS=0, **settings)
        expect("slower than" in errors and "canary at 50 %" in errors, errors)
        stage.stop_load(1, 2, 3)


@scenario
def slack_messages(binary):
    """A result is told to the webhook with version, colour, verdict and duration; a webhook that fails changes nothing."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        def receive(status):
            """A webhook that answers with this status, and what is posted to it."""
            posts = []

            class Receiver(http.server.BaseHTTPRequestHandler):
                def do_POST(self):
                    posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                    self.send_response(status)
                    self.send_header("Location", "/login")
                    self.end_headers()

                def log_message(self, *_):
                    pass

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return server, posts

        server, posts = receive(200)
        webhook = stage.directory / "webhook"
        webhook.write_text(f"http://127.0.0.1:{server.server_port}/services/T0/B0/SECRET\n")
        stage.tool("deploy", "--version", 1, SLACK_WEBHOOK_FILE=webhook)
        _, errors = stage.tool("deploy", "--version", 2, wanted=1, SLACK_WEBHOOK_FILE=webhook, **fake(stage, "exit"))
        server.shutdown()
        server.server_close()
        fields = [{f["title"]: f["value"] for f in post["attachments"][0]["fields"]} for post in posts]
        expect(len(posts) == 2, f"{posts}")
        expect(posts[0]["text"] == "NextLoop: blue is live with version 1" and posts[0]["attachments"][0]["color"] == "good", f"{posts[0]}")
        expect(fields[0]["Version"] == "1" and fields[0]["Verdict"].startswith("deployed") and fields[0]["Duration"].endswith(" s"), f"{fields}")
        expect(posts[1]["attachments"][0]["color"] == "danger" and fields[1]["Verdict"] == "refused", f"{posts[1]}")
        expect("it ended while starting" in fields[1]["Reason"] and fields[1]["Step"] == "start", f"{fields[1]}")
        # Nobody listens there now, then a stranger's file: the deployments go through all the same.
        _, errors = stage.tool("deploy", "--version", 2, SLACK_WEBHOOK_FILE=webhook)
        expect("no message to Slack" in errors and "SECRET" not in errors, errors)
        _, errors = stage.tool("rollback", SLACK_WEBHOOK_FILE=stage.directory / "missing")
        expect("no message: the first line of" in errors, errors)
        # What is not 2xx has told nobody.
        for status in (302, 500, 204):
            server, _ = receive(status)
            webhook.write_text(f"http://127.0.0.1:{server.server_port}/services/T0/B0/SECRET\n")
            _, errors = stage.tool("switch", SLACK_WEBHOOK_FILE=webhook)
            server.shutdown()
            server.server_close()
            said = "Slack has the message" if status == 204 else f"no message to Slack (HTTP status {status})"
            expect(said in errors and "SECRET" not in errors, errors)
        expect("SECRET" not in (stage.state / "journal.jsonl").read_text(), "the webhook is not in the journal")


@scenario
def settings_and_usage(binary):
    """Wrong settings and arguments are told apart, named, and change nothing; a dry run changes nothing either."""
    with Stage(binary, nginx=False) as stage:
        cases = [
            (["deploy", "--version", "0"], {}, 64, "--version is '0'"),
            (["deploy", "--version", "1x"], {}, 64, "--version is '1x'"),
            (["deploy", "--version"], {}, 64, "--version wants a value"),
            (["deploy", "--version="], {}, 64, "--version is ''"),
            (["deploy", "--image="], {"MODE": "compose", "COMPOSE_FILE": "compose.yaml"}, 64, "--image is ''"),
            (["status", "--config="], {}, 64, "--config is empty"),
            (["deploy", "--version", "3"], {"USERS_FILE": "/nope"}, 66, "cannot read /nope"),
            (["deploy", "--version", "3"], {"GOLDEN": "/"}, 66, "cannot read /, which"),
            (["deploy", "--version", "33"], {}, 65, "no version 33 of room-service in"),
            (["deploy", "--version", "33", "--dry-run"], {}, 65, "there are: 1, 2, 3"),
            (["deploy", "--version", "3"], {"REGISTRY": "/nowhere"}, 65, "it is not known whether there is a version 3: nextloop: no registry at /nowhere"),
            (["deploy", "--image", "a b"], {}, 64, "--image is 'a b'"),
            (["deploy", "--image", "app:1"], {}, 64, "--image is for BLUE_GREEN_MODE=compose"),
            (["deploy", "blue"], {}, 64, "takes no argument"),
            (["deploy", "--canary", "0"], {}, 64, "percentages from 1 to 99"),
            (["deploy", "--canary", "100"], {}, 64, "percentages from 1 to 99"),
            (["deploy", "--canary", "25,5"], {}, 64, "--canary is '25,5'; wanted percentages that rise"),
            (["deploy", "--canary", "5,5"], {}, 64, "that rise"),
            (["deploy"], {"CANARY": "25,5"}, 78, "BLUE_GREEN_CANARY is '25,5'; wanted percentages that rise"),
            (["deploy", "--canary=", "--dry-run"], {"CANARY": "25", "NGINX_TEST": ""}, 0, ""),
            (["deploy", "--watch", "-1"], {}, 64, "--watch is '-1'; wanted a whole number from 0 to 999999"),
            (["deploy", "--watch", "1000000"], {}, 64, "--watch is '1000000'"),
            (["deploy"], {"WATCH_SECONDS": "1000000"}, 78, "BLUE_GREEN_WATCH_SECONDS is '1000000'"),
            (["deploy", "--keep-warm", "ever"], {}, 64, "--keep-warm is 'ever'"),
            (["status"], {"KEEP_WARM": "ever"}, 78, "BLUE_GREEN_KEEP_WARM is 'ever'"),
            (["rollback", "--version", "1"], {}, 64, "--version is not for rollback"),
            (["stop"], {}, 64, "stop wants blue or green"),
            (["drain", "red"], {}, 64, "got 'red'"),
            (["explode"], {}, 64, "unknown command 'explode'"),
            (["status", "--colour"], {}, 64, "unknown option '--colour'"),
            (["status"], {"MODE": "swarm"}, 78, "BLUE_GREEN_MODE is 'swarm'"),
            (["status"], {"MODE": "compose"}, 78, "BLUE_GREEN_COMPOSE_FILE is empty"),
            (["status"], {"STATE": "here"}, 78, "BLUE_GREEN_STATE is 'here'"),
            (["status"], {"REGISTRY": "models"}, 78, "BLUE_GREEN_REGISTRY is 'models'; wanted an absolute path"),
            (["status"], {"REGISTRY": ""}, 0, ""),
            (["status"], {"BINARY": "./nextloop"}, 78, "BLUE_GREEN_BINARY is './nextloop'"),
            (["status"], {"BLUE_ADDRESS": "8081"}, 78, "BLUE_GREEN_BLUE_ADDRESS is '8081'"),
            (["status"], {"BLUE_ADDRESS": "127.0.0.1:65536"}, 78, "with a port from 1 to 65535"),
            (["status"], {"BLUE_ADDRESS": "127.0.0.1:65535"}, 0, ""),
            (["status"], {"BLUE_ADDRESS": "127.0.0.1:0"}, 78, "with a port from 1 to 65535"),
            (["status"], {"BLUE_ADDRESS": "127.0.0.1:18", "GREEN_ADDRESS": "127.0.0.1:18"}, 78, "another address than BLUE_GREEN_BLUE_ADDRESS"),
            (["status"], {"OVERLAP_K": 1000}, 0, ""),
            (["status"], {"OVERLAP_K": 1001}, 78, "BLUE_GREEN_OVERLAP_K is '1001'; wanted a whole number from 1 to 1000"),
            (["status"], {"OVERLAP_MIN": "1.0"}, 0, ""),
            (["status"], {"OVERLAP_MIN": "1.01"}, 78, "a share from 0 to 1"),
            (["status"], {"LOAD_CONNECTIONS": 257}, 78, "a whole number from 1 to 256"),
            (["status"], {"READY_SECONDS": 0}, 78, "a whole number from 1 to 999999"),
            (["status"], {"ERROR_RATIO_MAX": "1%"}, 78, "BLUE_GREEN_ERROR_RATIO_MAX is '1%'"),
            (["deploy"], {"LOAD_REQUESTS": 199, "SAMPLES_MIN": 200}, 78, "BLUE_GREEN_LOAD_REQUESTS is 199, which is too few for a verdict"),
            (["deploy", "--dry-run"], {"LOAD_REQUESTS": 200, "SAMPLES_MIN": 200, "NGINX_TEST": ""}, 0, ""),
            (["deploy", "--dry-run"], {"LOAD_REQUESTS": 0, "SAMPLES_MIN": 200, "NGINX_TEST": ""}, 0, ""),
            (["status"], {"NGINX_TEST": "nginx -p '/a b -t"}, 78, "BLUE_GREEN_NGINX_TEST is 'nginx -p '/a b -t'; wanted a command line with its quotes in pairs"),
            (["rollback"], {}, 65, "nothing to roll back to"),
            (["switch"], {}, 65, "is not ready"),
            (["deploy"], {"ALIAS": "nobody"}, 65, "no alias 'nobody'"),
        ]
        for arguments, settings, code, text in cases:
            _, errors = stage.tool(*arguments, wanted=code, **settings)
            expect(text in errors, f"{arguments}: wanted '{text}' in:\n{errors}")
        file = stage.directory / "settings.conf"
        file.write_text("# a comment\n\nBLUE_GREEN_WATCH_SECOND=3\n")
        _, errors = stage.tool("status", "--config", file, wanted=78)
        expect("settings.conf line 3: got 'BLUE_GREEN_WATCH_SECOND=3'" in errors, errors)
        file.write_text("BLUE_GREEN_ALIAS=$(touch pwned)\n")
        stage.tool("status", "--config", file)
        expect(not pathlib.Path("pwned").exists(), "a settings file is not executed")
        stage.tool("status", "--config", stage.directory / "none", wanted=66)
        before = sorted(str(p) for p in stage.directory.rglob("*"))
        output, _ = stage.tool("deploy", "--dry-run", NGINX_TEST="")
        expect("version 3 on blue" in output, output)
        stage.tool("rollback", "--dry-run")
        expect(sorted(str(p) for p in stage.directory.rglob("*")) == before, "a dry run leaves no trace")


def log_names_no_guest(stage):
    """Every path of the service, and every odd way of writing one, is its route in nginx's access log; the guest is in none."""
    guest = "4711004711"
    encoded = "".join(f"%{ord(digit):x}" for digit in guest)
    routes = json.loads(fetch(f"http://127.0.0.1:{stage.listen}/openapi.json")[2])["paths"]
    expect({"/recommend", "/users/{user_id}", "/items/{item_id}/similar", "/models/{name}"} <= set(routes), f"{routes.keys()}")
    targets = [(re.sub("{.*?}", guest, route) + f"?user_id={guest}", "/metrics" if route == "/metrics" else route) for route in routes]
    targets += [(target, "/users/{user_id}") for target in (
        f"/users/{encoded}", f"//users//{guest}", f"/%75sers/{guest}", f"/x/../users/{guest}", f"/./users/{guest}", f"/users/{guest}/",
        f"/users/%0a{guest}", f"/users/{guest}%0a", f"/users/1%2f{guest}", f"/users/%22{guest}", f"/users/%ff{guest}", f"/users/{guest};a=b",
        f"http://hotel.example/users/{guest}?k=1")]
    targets += [(f"/items/a%2f{guest}/similar", "/items/{item_id}/similar"), (f"/items/%0a{guest}/similar", "/items/{item_id}/similar"),
                (f"/models/a/{guest}", "/models/{name}"), (f"/admin/items/{guest}/unavailable", "/admin"), (f"/metrics/{guest}", "/metrics")]
    targets += [(target, "none") for target in (
        f"/{guest}", f"/Users/{guest}", f"/user/{guest}", f"/users;{guest}", f"/recommend/{guest}", f"/recommend%0a{guest}", "/recommend%0a",
        f"/recommend/bulk/{guest}", f"/docs%3f{guest}", f"/items/{guest}", f"/items/{guest}/similar%0a", f"/items/{guest}/Similar",
        f"/v1/users/{guest}", f"/%zz/users/{guest}", f"/../users/{guest}", f"/users/{guest}/%2e%2e/%2e%2e/%2e%2e/x", "/")]
    log = stage.directory / "nginx/access.log"
    # nginx writes the line of a kept connection after the answer.
    wait_for(lambda: "/openapi.json" in log.read_text(), 10, "the line of /openapi.json")
    before = len(log.read_text().splitlines())
    for target, _ in targets:
        with socket.create_connection(("127.0.0.1", stage.listen), timeout=5) as client:
            client.sendall(f"GET {target} HTTP/1.1\r\nHost: hotel.example\r\nConnection: close\r\n\r\n".encode("ascii"))
            expect(client.recv(65536).startswith(b"HTTP/1.1 "), target)
            while client.recv(65536):
                pass
    wait_for(lambda: len(log.read_text().splitlines()) >= before + len(targets), 10, "the lines of the log")
    lines = log.read_text().splitlines()[before:]
    for (target, route), line in zip(targets, lines, strict=True):
        expect(json.loads(line)["route"] == route, f"{target}: wanted {route} in {line}")
        expect(guest not in line and "?" not in line and "user_id=" not in line, f"{target}: {line}")


@scenario
def nginx_configuration(binary):
    """The templates: sound with and without TLS, closed to the outside, limits, request ids, the log, stable shares."""
    with Stage(binary) as stage:
        url, status = f"http://127.0.0.1:{stage.listen}", f"http://127.0.0.1:{stage.status_port}"
        expect(fetch(f"{status}/routing?user_id=1")[2].count(b'"missing"') == 1, "before the first deploy there is no table")
        stage.tool("deploy", "--version", 1, LOAD_REQUESTS=0, WATCH_SECONDS=0)
        for path in ("/metrics", "/metrics/", "/admin", "/admin/drain", "//metrics", "/%6Detrics", "/a/../admin/reload", "/%2fmetrics"):
            output = subprocess.run(["curl", "-s", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", url + path],
                                    capture_output=True, text=True, check=True).stdout
            expect(output == "404", f"{path}: {output}")
        expect(fetch(f"{status}/stub_status")[0] == 200 and fetch(f"{status}/recommend")[0] == 404, "the status server")
        _, headers, _ = fetch(f"{url}/recommend?user_id=1", headers={"X-Request-ID": "mine-1"})
        expect(headers.get_all("X-Request-ID") == ["mine-1"], f"{headers.items()}")
        _, headers, _ = fetch(f"{url}/recommend?user_id=1", headers={"X-Request-ID": "not mine"})
        expect(len(headers["X-Request-ID"]) == 32, f"{headers.items()}")
        _, headers, body = fetch(f"{url}/recommend?user_id=nobody&k=50", headers={"Accept-Encoding": "gzip"})
        expect(headers["Content-Encoding"] == "gzip" and body[:2] == b"\x1f\x8b", f"{headers.items()}")
        code, headers, body = fetch(f"{url}/recommend", data=b"x" * (1024 * 1024 + 1), headers={"Content-Type": "application/json"})
        expect(code == 413 and json.loads(body)["status"] == 413, f"{code} {body}")
        line = json.loads((stage.directory / "nginx/access.log").read_text().splitlines()[-2])
        expect(line["status"] == 200 and float(line["upstream_seconds"]) >= 0 and line["model_version"] == "1", f"{line}")
        log_names_no_guest(stage)

        # Shares: 1,000 guests; whoever is in the 5 % is in the 25 % too, and a guest's answer does not change.
        stage.tool("deploy", "--version", 2, LOAD_REQUESTS=0, WATCH_SECONDS=0)

        def on_blue(percent):
            stage.tool("switch", "green", wanted=None)
            subprocess.run(["bash", "-c", '. "$0/settings.sh"; setting[ROUTING]=$1; . "$0/routing.sh"; make_table blue $2; replace_link tables/blue-$2 "$1/table"',
                            REPOSITORY / "deploy/lib", stage.routing, str(percent)], check=True)
            connection = http.client.HTTPConnection("127.0.0.1", stage.status_port, timeout=5)
            chosen = set()
            for guest in range(1000):
                connection.request("GET", f"/routing?user_id={guest}")
                if json.loads(connection.getresponse().read())["colour"] == "blue":
                    chosen.add(guest)
            connection.close()
            return chosen

        five, again, quarter, none_or_all = on_blue(5), on_blue(5), on_blue(25), on_blue(100)
        expect(five == again and five < quarter, "a guest stays on one colour")
        expect(20 <= len(five) <= 85 and 190 <= len(quarter) <= 310 and len(none_or_all) == 1000, f"{len(five)} {len(quarter)}")

        # A CRM that sends POST without X-Routing-Key is not one guest: the shares hold for its requests too.
        on_blue(25)
        connection = http.client.HTTPConnection("127.0.0.1", stage.listen, timeout=5)
        versions = []
        for _ in range(400):
            connection.request("POST", "/recommend", '{"user_id": "1", "k": 1}', {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            versions.append(answer.getheader("X-Model-Version"))
        connection.close()
        expect(60 <= versions.count("1") <= 140 and set(versions) == {"1", "2"}, f"{versions.count('1')} of 400 on blue")  # 100 +- 4.6 sigma

        # A second nginx, with TLS and narrow limits.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-keyout", stage.directory / "key.pem", "-out", stage.directory / "cert.pem"], check=True, capture_output=True)
        stage.stop_nginx()
        stage.environment.update(NEXTLOOP_NGINX_TLS_CERTIFICATE=str(stage.directory / "cert.pem"),
                                 NEXTLOOP_NGINX_TLS_KEY=str(stage.directory / "key.pem"),
                                 NEXTLOOP_NGINX_RATE="1", NEXTLOOP_NGINX_BURST="3", NEXTLOOP_NGINX_GZIP="off")
        subprocess.run([REPOSITORY / "nginx/render", stage.directory / "nginx", REPOSITORY / "nginx/examples/tls.conf.template"],
                       env=stage.environment, check=True)
        stage.start_nginx()
        answers = [subprocess.run(["curl", "-sk", "-D", "/dev/stderr", "-w", "\n%{http_code} %{http_version}", f"https://127.0.0.1:{stage.tls}/recommend?user_id=1"],
                                  capture_output=True, text=True, check=True) for _ in range(8)]
        codes = [answer.stdout.split("\n")[-1] for answer in answers]
        expect(codes[:4] == ["200 2"] * 4 and "429 2" in codes, f"{codes}")
        last, fields = answers[-1].stdout, answers[-1].stderr.split("\n")
        expect(json.loads(last.rsplit("\n", 1)[0])["title"] == "Too Many Requests" and "retry-after: 1" in fields, f"{last} {fields}")
        expect(all("strict-transport-security: max-age=63072000" in answer.stderr.split("\n") for answer in answers), f"{fields}")
        expect(all("retry-after" not in answer.stderr for answer in answers[:4]), f"{answers[0].stderr}")
        code, headers, body = fetch(f"http://127.0.0.1:{stage.tls}/recommend?user_id=1")
        expect(code == 400 and json.loads(body)["status"] == 400, f"plain HTTP to the TLS port: {code} {body}")
        broken = stage.routing / "live-colour.inc"
        broken.write_text("nonsense;")
        expect(subprocess.run(["nginx", "-p", f"{stage.directory}/nginx/", "-e", "stderr", "-c", "nginx.conf", "-t"],
                              capture_output=True, check=False).returncode == 1, "nginx -t sees a broken include")


@scenario
def nginx_that_does_not_follow(binary):
    """A switch that nginx cannot follow is noticed and taken back; a broken configuration stops it before."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        stage.start_load(rate=300)
        other = stage.directory / "elsewhere"
        stage.tool("init", ROUTING=other)
        subprocess.run(["cp", "-a", stage.routing / "tables", stage.routing / "table", other], check=True)
        _, errors = stage.tool("deploy", "--version", 2, wanted=1, ROUTING=other)
        expect("nginx sends bucket" in errors and "the switch did not take effect" in errors, errors)
        expect(os.readlink(other / "table") == "tables/blue-100", "the table is as it was")
        conf = stage.directory / "nginx/conf.d/broken.conf"
        conf.write_text("nonsense;")
        _, errors = stage.tool("deploy", "--version", 2, wanted=1)
        expect("nonsense" in errors, errors)
        # A rollback is not held up by it: the running nginx follows the table all the same.
        conf.unlink()
        stage.tool("deploy", "--version", 2)
        conf.write_text("nonsense;")
        stage.tool("rollback")
        expect(stage.status()["live"] == "blue", "rolled back")
        stage.stop_load(1, 2)


def shim(stage, text):
    """A stand-in for systemctl or a container engine: runs the colours as processes and keeps their ids in files."""
    path = stage.directory / "engine"
    path.write_text(f"#!/bin/bash\nset -u\ncd '{stage.directory}'\n{text}")
    path.chmod(0o755)
    return f"'{path}'"  # Quoted, as a settings file would have it.


@scenario
def systemd_mode(binary):
    """The same deploy through systemctl's commands; a unit that systemd has restarted counts as crashed."""
    with Stage(binary, LOAD_REQUESTS=0) as stage:
        engine = shim(stage, f"""
unit=${{@: -1}}; colour=${{unit#nextloop@}}
running() {{ [ -s unit.$colour ] && grep -q '^State:.[RSD]' "/proc/$(cat unit.$colour)/status" 2>/dev/null; }}
end() {{ running && {{ kill -TERM "$(cat unit.$colour)"; while running; do sleep 0.05; done; }}; rm -f unit.$colour; }}
begin() {{ set -a; . state/$colour.env; set +a
    setsid {binary} serve --registry models --model room-service --drain-seconds 0.2 --threads 1 >unit.log 2>&1 </dev/null & echo $! >unit.$colour; }}
case $1 in
reset-failed) ;;
restart) end; begin ;;
stop) end ;;
show) if running; then cat unit.$colour; else echo 0; fi ;;
*) exit 1 ;;
esac
""")
        settings = {"MODE": "systemd", "SYSTEMCTL": engine}
        try:
            # A registry that only the units can read keeps nobody from a deploy.
            _, errors = stage.tool("deploy", "--version", 1, **settings, REGISTRY="/nowhere")
            expect("it is not known whether there is a version 1: nextloop: no registry at /nowhere" in errors, errors)
            stage.start_load(rate=500)
            stage.tool("deploy", "--version", 2, **settings)
            process = stage.start_tool("deploy", "--version", 3, WATCH_SECONDS=30, **settings)
            wait_for(lambda: stage.step() == "watch", 30, "the watch")
            time.sleep(0.5)
            os.kill(int((stage.directory / "unit.blue").read_text()), signal.SIGKILL)
            subprocess.run([engine.strip("'"), "restart", "nextloop@blue"], check=True)
            _, errors = process.communicate(timeout=30)
            expect(process.returncode == 1 and "it crashed" in errors, errors)
            expect("rolled back already" in stage.tool("rollback", **settings)[0], "a rollback after one by itself changes nothing")
            stage.stop_load(1, 2, 3)
            stage.tool("stop", "green", "--force", **settings)
            expect(not (stage.directory / "unit.green").exists(), "the unit is stopped")
        finally:
            for colour in ("blue", "green"):
                subprocess.run([engine.strip("'"), "stop", f"nextloop@{colour}"], check=False)


@scenario
def compose_mode(binary):
    """The same deploy through the commands of Compose and its engine, by image and by version."""
    with Stage(binary, LOAD_REQUESTS=0) as stage:
        engine = shim(stage, f"""
echo "$@" >>engine.log
address() {{ eval "echo \\$NEXTLOOP_${{1^^}}_ADDRESS"; }}
running() {{ [ -s box.$1 ] && grep -q '^State:.[RSD]' "/proc/$(cat box.$1)/status" 2>/dev/null; }}
case $1 in
--env-file)
    [ "$3 $4 $5 $6 $7" = "-f compose.yaml up -d --no-deps" ] || exit 1
    if [ -e slow ]; then echo $$ >slow; sleep 30; fi
    . <(grep -v ^NEXTLOOP_ROUTING= "$2"); version=NEXTLOOP_${{8^^}}_VERSION image=NEXTLOOP_${{8^^}}_IMAGE address=$(address $8)
    [ "${{!image:-app:1}}" != app:broken ] || {{ echo "no such image: app:broken" >&2; exit 1; }}
    version=${{!version:-}}
    setsid {binary} serve --registry models --model room-service ${{version:+--version $version}} --port ${{address##*:}} --drain-seconds 0.2 --threads 1 >box.log 2>&1 </dev/null & echo $! >box.$8 ;;
inspect) name=${{@: -1}}; name=${{name#nextloop-}}; [ -e box.$name ] || exit 1; if [ $# -gt 2 ] && running $name; then echo "id.$(cat box.$name)"; fi ;;
stop) name=${{4#nextloop-}}; if running $name; then kill -TERM "$(cat box.$name)"; while running $name; do sleep 0.05; done; fi ;;
rm) rm -f box.${{3#nextloop-}} ;;
logs) cat box.log ;;
esac
""")
        settings = {"MODE": "compose", "COMPOSE": engine, "CONTAINER": engine, "COMPOSE_FILE": "compose.yaml"}
        # The settings of the page fit compose.yaml, and `init` tells Compose where the table is.
        page = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
        (block,) = re.findall(r"^```shell\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        lines = block[block.index("install -D"):block.index("deploy/blue-green init")].replace("/etc/nextloop/", f"'{stage.directory}'/")
        subprocess.run(["bash", "-euc", lines], cwd=REPOSITORY, check=True)
        written = dict(line.split("=", 1) for line in (stage.directory / "blue-green.conf").read_text().splitlines() if line.startswith("BLUE_GREEN_"))
        expect(written["BLUE_GREEN_MODE"] == "compose" and written["BLUE_GREEN_COMPOSE_FILE"].endswith("/deploy/compose.yaml"), f"{written}")
        expect("exec -T nginx nginx -t" in written["BLUE_GREEN_NGINX_TEST"], f"{written}")
        mounted = (REPOSITORY / "deploy/compose.yaml").read_text(encoding="utf-8")
        expect(f"${{NEXTLOOP_ROUTING:-{written['BLUE_GREEN_ROUTING']}}}:/etc/nginx/routing:ro" in mounted, f"{written}")
        for _ in range(2):
            stage.tool("init", **settings)
            expect((stage.state / "compose.env").read_text().count(f"NEXTLOOP_ROUTING={stage.routing}\n") == 1, "compose.env")
        try:
            stage.tool("deploy", "--version", 1, **settings)
            stage.start_load(rate=500)
            stage.tool("deploy", "--image", "app:2", **settings)
            status = json.loads(stage.tool("status", "--json", **settings)[0])
            # Another program, and the version that guests had, pinned: the alias names version 3.
            expect(status["live"] == "green" and status["colours"][1]["version"] == "1" and status["colours"][1]["image"] == "app:2", f"{status}")
            expect("NEXTLOOP_GREEN_VERSION=1\n" in (stage.state / "compose.env").read_text(), "pinned")
            _, errors = stage.tool("deploy", "--image", "app:broken", wanted=1, **settings)
            expect("compose up failed: no such image" in errors, errors)
            # The failed deploy replaced the warm colour: rolling back needs one that is recorded as good.
            # Another version: the program stays.
            stage.tool("deploy", "--version", 3, **settings)
            status = json.loads(stage.tool("status", "--json", **settings)[0])
            expect(status["colours"][0]["version"] == "3" and status["colours"][0]["image"] == "app:2", f"{status}")
            stage.tool("rollback", **settings)
            # A rollback ends a run whose engine is slow, and what that run has started.
            slow = stage.directory / "slow"
            slow.touch()
            process = stage.start_tool("deploy", "--version", 2, "--image", "app:1", **settings)
            wait_for(lambda: slow.read_text() != "", 30, "the slow engine")
            slow_pid = int(slow.read_text())
            stage.tool("rollback", **settings)
            process.communicate(timeout=10)
            state = subprocess.run(["ps", "-o", "stat=", "-p", str(slow_pid)], capture_output=True, text=True, check=False).stdout
            expect(state == "" or state.startswith("Z"), f"the slow command has ended: {state}")
            slow.unlink()
            # What was asked for is what a resumed run is compared with, not what it was resolved to.
            process = stage.start_tool("deploy", "--image", "app:3", WATCH_SECONDS=30, **settings)
            wait_for(lambda: stage.step() == "watch", 30, "the watch")
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)
            _, errors = stage.tool("deploy", "--image", "app:3", **settings)
            expect("going on there" in errors, errors)
            counted = stage.stop_load(1, 3)
            expect(set(counted) == {"1", "3"}, f"{counted}")
        finally:
            for colour in ("blue", "green"):
                subprocess.run([engine.strip("'"), "stop", "-t", "5", f"nextloop-{colour}"], check=False)


@scenario
def operations_page(binary):
    """The commands of docs/operations.md, as they stand there, one after the other; what is said in a comment is checked."""
    page = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    expect(len(blocks) >= 7, f"{len(blocks)} blocks")
    script = "".join(blocks)
    with Stage(binary, nginx=False) as stage:
        for port, free in zip(("18080", "18081", "18082", "18090", "19090"), free_ports(5)):
            expect(port in script, f"the page still says {port}")
            script = script.replace(port, str(free))
        programs = stage.directory / "programs"
        programs.mkdir()
        (programs / "nextloop").symlink_to(binary)
        # What came before this test (the whole suite is run after both), and the binary's place.
        for old, new in (("scripts/setup test\nscripts/build nextloop\n", ""),
                         ("PATH=$PWD/.build/release:$PATH", f"PATH='{programs}':$PATH")):
            expect(old in script, f"the page still says {old}")
            script = script.replace(old, new)
        wanted = re.findall(r"jq \.model_version +# (\d+)$", script, re.MULTILINE)
        play = stage.directory / "play"  # mktemp -d makes its directory in here
        play.mkdir()
        output = stage.directory / "output"
        environment = {name: value for name, value in stage.environment.items() if not name.startswith("NEXTLOOP_")}
        with open(output, "wb") as file:
            process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=REPOSITORY, stdout=file, stderr=file,
                                       env={**environment, "TMPDIR": str(play)})
            try:
                process.wait(timeout=110)
            except subprocess.TimeoutExpired as error:
                raise Failed(f"the page hangs:\n{output.read_text()[-3000:]}") from error
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
                for state in play.glob("*/state"):
                    stage.state = state
                    for colour in ("blue", "green"):
                        stage.kill(colour)
                for pid in [*play.glob("*/nginx/nginx.pid"), *play.glob("*/prometheus.pid")]:
                    try:
                        os.kill(int(pid.read_text()), signal.SIGTERM)
                    except (OSError, ValueError):
                        pass
        text = output.read_text()
        expect(process.returncode == 0, f"exit {process.returncode}\n{text}")
        expect(re.findall(r"^(\d+)$", text, re.MULTILINE)[3:] == wanted, f"versions, wanted {wanted}:\n{text}")
        for said in ("refused with status 1", "rolled back already", "alert     critical: blue is down, and guests are sent to it: docs/runbooks/NextLoopLiveColourDown.md",
                     "1. `deploy/blue-green rollback` makes the colour that runs the live one"):
            expect(said in text, f"{said} is not in\n{text}")
        expect(not list(play.iterdir()), "it cleans up")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=sorted(SCENARIOS))
    parser.add_argument("--binary")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--make-registry")
    options = parser.parse_args()
    # A test runner may start programs with signals blocked, and a blocked SIGTERM would reach neither load nor colours.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    if options.list:
        print("\n".join(SCENARIOS))
    elif options.make_registry:
        make_registry(options.binary, options.make_registry)
    else:
        began = time.monotonic()
        try:
            SCENARIOS[options.name](options.binary)
        except (Failed, subprocess.SubprocessError) as error:
            sys.exit(f"failed after {time.monotonic() - began:.1f} s: {error}")
        print(f"passed in {time.monotonic() - began:.1f} s")


main()
