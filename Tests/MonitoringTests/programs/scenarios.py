"""Scenarios of the watching programs. Run by MonitoringTests, or by hand:

usage: scenarios.py NAME --binary PATH    one scenario; exits with 1 and every log when it fails
       scenarios.py --list                their names
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import files
import images
import running
from queries import dashboard_queries, metric_names, runbook_queries, with_values
from watch import REPOSITORY, Failed, Watch, expect, free_ports

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


@scenario
def killed_service(binary):
    """Kill the service: Slack hears it. Bring it back: Slack hears that too. Then with one colour in reserve, and nginx."""
    with Watch(binary, seconds=170, LOAD_REQUESTS=100, WATCH_SECONDS=1) as stage:
        stage.tool("deploy", "--version", 1)
        stage.wait_for_value('up{job="nextloop",colour="blue"}', 1)
        stage.wait_for_value('nextloop_live_colour{colour="blue"}', 1)
        # The idle colour was never started: that is no alert.
        time.sleep(3)
        expect(stage.firing() == [], f"alerts of a healthy service: {stage.firing()}")

        killed = time.time()
        stage.kill("blue")
        post = stage.slack.wait("critical", "CRITICAL No colour answers: guests get errors")
        print(f"fired {time.time() - killed:.1f} s after the kill")
        expect(post["color"] == "danger" and post["fallback"] == post["title"], f"{post}")
        lines = post["text"].strip().split("\n")
        expect(lines[0] == "Neither blue nor green has answered a scrape for 30 s: 0 of 2 targets are up. nginx answers 502.", f"{lines}")
        expect(re.fullmatch(r"Since \d\d:\d\d:\d\d UTC, \d+ \w+", lines[1]), f"{lines}")
        expect(lines[2] == "What to do: docs/runbooks/NextLoopDown.md" and (REPOSITORY / "docs/runbooks/NextLoopDown.md").exists(), f"{lines}")
        expect(lines[3].startswith(f"Silence: {stage.alertmanager_url}/#/silences/new?filter=%7Balertname%3D%22NextLoopDown%22"), f"{lines}")
        expect(post["title_link"].startswith(f"{stage.prometheus_url}/graph?g0.expr=") and post["footer"] == "NextLoopDown", f"{post}")

        # As docs/operations.md says when both colours are dead.
        stage.tool("deploy", "--version", 1)
        back = time.time()
        post = stage.slack.wait("critical", "OVER No colour answers: guests get errors")
        print(f"resolved {time.time() - back:.1f} s after the deploy")
        expect(post["color"] == "good" and post["text"].startswith("Over: No colour answers") and "What to do" not in post["text"], f"{post}")

        # One colour in reserve: green is live now, blue becomes live with green warm.
        stage.tool("deploy", "--version", 2)
        stage.wait_for_value('nextloop_live_colour{colour="blue"}', 1)
        stage.wait_for_value('sum(up{job="nextloop"})', 2)
        stage.kill("blue")
        post = stage.slack.wait("critical", "CRITICAL blue is down, and guests are sent to it")
        expect(post["footer"] == "NextLoopLiveColourDown · blue", f"{post}")
        stage.tool("rollback")
        stage.slack.wait("critical", "OVER blue is down, and guests are sent to it")

        # nginx: then it does not matter what the colours do.
        stage.stop_nginx()
        stage.slack.wait("critical", "CRITICAL nginx does not answer: guests get nothing")
        stage.start_nginx()
        stage.slack.wait("critical", "OVER nginx does not answer: guests get nothing")
        # Everything that was told, and nothing twice: errors and latency under a dead service are not news.
        expect(len(stage.slack.posts["critical"]) == 6, f"{stage.slack.titles('critical')}")


def alert(name, severity, family, **labels):
    return {"labels": {"alertname": name, "severity": severity, "family": family, **labels},
            "annotations": {"summary": f"{name} {severity}", "description": "1", "runbook_url": f"docs/runbooks/{name}.md"}}


@scenario
def what_is_not_told(binary):
    """What is down silences its latency and errors; critical silences the warning of its family; windows make one message."""
    with Watch(binary, seconds=100) as stage:
        def post(*alerts):
            stage.post(f"{stage.alertmanager_url}/api/v2/alerts", alerts)

        # No colour answers, and what follows from it. A disk is another matter.
        post(alert("NextLoopDown", "critical", "down", job="nextloop"))
        stage.slack.wait("critical", "CRITICAL NextLoopDown critical")
        post(alert("NextLoopLatencyBudgetBurn", "critical", "latency", job="nextloop", window="1h"),
             alert("NextLoopErrorBudgetBurn", "warning", "availability", job="nextloop", window="3d"),
             alert("NextLoopLiveColourDown", "critical", "down", job="nextloop", colour="blue"),
             alert("NextLoopColourMismatch", "warning", "colour", job="nextloop", colour="green"),
             alert("HostDiskLow", "warning", "disk", job="node", instance="a", mountpoint="/"))
        stage.slack.wait("warning", "WARNING HostDiskLow warning")
        # Critical silences its warning: of the same file system, not of another one.
        post(alert("HostDiskLow", "critical", "disk", job="node", instance="b", mountpoint="/"))
        stage.slack.wait("critical", "CRITICAL HostDiskLow critical")
        post(alert("HostDiskLow", "warning", "disk", job="node", instance="b", mountpoint="/"),
             alert("TargetDown", "warning", "down", job="nginx", instance="c"))
        stage.slack.wait("warning", "WARNING TargetDown warning")
        time.sleep(3)
        expect(stage.slack.titles("critical") == ["CRITICAL NextLoopDown critical", "CRITICAL HostDiskLow critical"], f"{stage.slack.titles('critical')}")
        expect(stage.slack.titles("warning") == ["WARNING HostDiskLow warning", "WARNING TargetDown warning"], f"{stage.slack.titles('warning')}")

    with Watch(binary, seconds=100) as stage:
        # The live colour is down, and the one that is left is slow: both are told, not that guests are elsewhere.
        stage.post(f"{stage.alertmanager_url}/api/v2/alerts", [alert("NextLoopLiveColourDown", "critical", "down", job="nextloop", colour="blue")])
        stage.slack.wait("critical", "CRITICAL NextLoopLiveColourDown critical")
        stage.post(f"{stage.alertmanager_url}/api/v2/alerts", [alert("NextLoopColourMismatch", "warning", "colour", job="nextloop", colour="green")])
        # Two windows of one promise are one message, and its slow windows are none.
        stage.post(f"{stage.alertmanager_url}/api/v2/alerts", [
            alert("NextLoopLatencyBudgetBurn", severity, "latency", job="nextloop", window=window)
            for severity, window in [("critical", "1h"), ("critical", "6h"), ("warning", "1d"), ("warning", "3d")]])
        stage.slack.wait("critical", "CRITICAL NextLoopLatencyBudgetBurn (2)")
        time.sleep(3)
        expect(len(stage.slack.posts["critical"]) == 2 and not stage.slack.posts["warning"], f"{stage.slack.posts}")


@scenario
def files_are_sound(_):
    """promtool, amtool and a reader's expectations of deploy/'s files. Starts nothing."""
    files.check_prometheus()
    files.check_rule_tests()
    files.check_runbooks()
    files.check_alertmanager()
    files.check_dashboards()


@scenario
def what_runs_things(_):
    """Compose file, Dockerfile, systemd units and workflows, by their linters and by what an operator relies on."""
    running.check_compose()
    running.check_dockerfile()
    running.check_units()
    running.check_workflows()


@scenario
def monitoring_page(binary):
    """The commands of docs/monitoring.md, as they stand there, one after the other."""
    page = (REPOSITORY / "docs/monitoring.md").read_text(encoding="utf-8")
    script = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    with tempfile.TemporaryDirectory(prefix="nextloop-page-") as directory:
        directory = pathlib.Path(directory)
        (directory / "programs").mkdir()
        (directory / "programs/nextloop").symlink_to(binary)
        for port, free in zip(("18081", "19090", "19093"), free_ports(3)):
            expect(port in script, f"the page still says {port}")
            script = script.replace(port, str(free))
        for old, new in (("$PWD/.cache/monitoring", f"{directory}/play"), ("$PWD/.build/release", f"{directory}/programs")):
            expect(old in script, f"the page still says {old}")
            script = script.replace(old, new)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NEXTLOOP_")}
        with open(directory / "output", "wb") as file:
            process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=REPOSITORY, stdout=file, stderr=file, env=environment)
            try:
                process.wait(timeout=150)
            finally:
                for name in ("blue", "prometheus", "alertmanager"):
                    stop(directory / f"play/{name}.pid")
                if process.poll() is None:
                    process.kill()
                    process.wait()
        said = (directory / "output").read_text()
        expect(process.returncode == 0, f"exit {process.returncode}\n{said}")
        for wanted in (r'up\{colour="blue".* => 1 @', r'handler="/recommend", status="2xx"\} => 3\d\d @', r"nextloop_model_info\{", r"ratio_rate5m\{.* => 0 @",
                       r'ALERTS\{.*alertstate="firing".*severity="critical"', r"(?m)^NextLoopDown .*No colour answers", r"(?m)^slack-critical$", r"new disk"):
            expect(re.search(wanted, said), f"{wanted} is not in\n{said}")
        expect(not (directory / "play").exists(), "it cleans up")


def stop(pid_file):
    """Ends what a page started and did not end, because the page failed."""
    try:
        os.kill(int(pid_file.read_text()), 9)
    except (OSError, ValueError):
        pass


@scenario
def image_and_compose(binary):
    """The Dockerfile is built; blue and green run from it as the Compose file says. Minutes, the first time."""
    with tempfile.TemporaryDirectory(prefix="nextloop-images-") as directory:
        images.build_and_run(binary, pathlib.Path(directory))


@scenario
def every_query(binary):
    """Rules, dashboards and runbooks ask a Prometheus that scraped a real service under load: all of it parses and has data."""
    with Watch(binary, seconds=170, with_tls=True, LOAD_REQUESTS=100, WATCH_SECONDS=0) as stage:
        token = stage.directory / "token"
        token.write_text("0123456789abcdef\n")
        token.chmod(0o600)
        options = (f"{stage.settings['SERVE_OPTIONS']} --admin-token-file '{token}' --shadow version=3,100 "
                   "--experiment ranking,candidate=40@version=3,control=40")
        stage.tool("deploy", "--version", 1, SERVE_OPTIONS=options)
        stage.tool("deploy", "--version", 2, SERVE_OPTIONS=options)
        stage.start_guests("green")
        stage.wait_for_value('sum(up{job="nextloop"})', 3)
        # Two looks at every series, and some more for the windows to fill.
        stage.wait_for_value('sum_over_time(up{job="nginx-colour"}[10m]) > bool 15', 1, seconds=60)

        recorded, names = set(), set(stage.api("label/__name__/values"))
        for group in stage.api("rules")["groups"]:
            for rule in group["rules"]:
                expect(rule["health"] == "ok", f"{rule['name']}: {rule.get('lastError', rule['health'])}")
                if rule["type"] == "recording":
                    recorded.add(rule["name"])
                    expect(stage.values(rule["name"]), f"the record {rule['name']} has no data")
                else:
                    for name in metric_names(rule["query"]) - names:
                        expect(name.startswith("container_"), f"the alert {rule['name']} asks for {name}, which nobody exposes")
        expect(len(recorded) > 20, f"{recorded}")

        count, faults = 0, []
        for dashboard, panel, expression in dashboard_queries():
            count += 1
            expression = with_values(expression)
            try:
                values = stage.values(expression)
            except Failed as failure:
                faults.append(f"{dashboard} / {panel}: {failure}")
                continue
            if not values and "container_" not in expression:
                faults.append(f"{dashboard} / {panel}: no data for {expression}")
        for page, expression in runbook_queries():
            count += 1
            try:
                stage.query(expression)
            except Failed as failure:
                faults.append(f"{page}: {failure}")
            for name in metric_names(expression) - names - recorded:
                if not name.startswith("container_"):
                    faults.append(f"{page}: {name} is exposed by nobody")
        expect(count > 120, f"only {count} queries were found")
        expect(not faults, "\n".join([f"{len(faults)} of {count} queries:", *faults]))
        print(f"{count} queries of dashboards and runbooks, {len(recorded)} records")
        expect(stage.firing() == [], f"alerts of a healthy service: {stage.firing()}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?", choices=sorted(SCENARIOS))
    parser.add_argument("--binary")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    # A test runner may start programs with signals blocked, and a blocked SIGTERM would not reach what they start.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    if options.list:
        print("\n".join(SCENARIOS))
        return
    began = time.monotonic()
    try:
        SCENARIOS[options.name](options.binary)
    except (Failed, subprocess.SubprocessError) as error:
        sys.exit(f"failed after {time.monotonic() - began:.1f} s: {error}")
    print(f"passed in {time.monotonic() - began:.1f} s")


main()
