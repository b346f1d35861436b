"""Checks of deploy/'s files that need no running service: promtool, amtool and what a reader expects of them."""

import itertools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

from queries import DASHBOARDS, RUNBOOKS
from watch import DEPLOY, expect

PROMETHEUS = DEPLOY / "prometheus"
ALERTMANAGER = DEPLOY / "alertmanager"


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False, **options)
    expect(done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def rule_files():
    return sorted((PROMETHEUS / "rules").glob("*.yml"))


def alert_rules():
    for file in rule_files():
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    yield rule


def check_prometheus():
    """The configuration as it is installed, with the targets of one machine and with those of Compose."""
    for place in ("plain", "compose"):
        with tempfile.TemporaryDirectory() as directory:
            installed = pathlib.Path(directory)
            shutil.copy(PROMETHEUS / "prometheus.yml", installed)
            shutil.copytree(PROMETHEUS / "rules", installed / "rules")
            shutil.copytree(PROMETHEUS / "targets" / place, installed / "targets")
            said = run("promtool", "check", "config", "--lint-fatal", installed / "prometheus.yml")
            expect("WARNING" not in said, said)
    jobs = {job["job_name"] for job in yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]}
    for place in ("plain", "compose"):
        files = {file.stem for file in (PROMETHEUS / "targets" / place).iterdir()}
        expect(files == jobs, f"targets/{place} has {sorted(files)}, the jobs are {sorted(jobs)}")


def check_rule_tests():
    """Every alert, in each severity, has a test in which it fires and one in which it does not."""
    fires, quiet = set(), set()
    for tests in sorted((PROMETHEUS / "tests").glob("*.yml")):
        run("promtool", "test", "rules", tests)
        for test in yaml.safe_load(tests.read_text(encoding="utf-8"))["tests"]:
            for case in test["alert_rule_test"]:
                for alert in case["exp_alerts"]:
                    fires.add((case["alertname"], alert["exp_labels"]["severity"]))
                    expect(len(alert["exp_annotations"]) == 3, f"{case['alertname']}: the test says what is told")
                if not case["exp_alerts"]:
                    quiet.add(case["alertname"])
    wanted = {(rule["alert"], rule["labels"]["severity"]) for rule in alert_rules()}
    expect(fires == wanted, f"never seen firing: {wanted - fires}; unknown: {fires - wanted}")
    expect(quiet == {name for name, _ in wanted}, f"never seen quiet: {wanted - quiet}")


def check_runbooks():
    sections = ["## Meaning", "## Impact", "## How to see it", "## What to do", "## How to know that it is over"]
    names = set()
    for rule in alert_rules():
        name, labels, annotations = rule["alert"], rule["labels"], rule["annotations"]
        names.add(name)
        expect(labels["severity"] in ("critical", "warning") and labels["family"], f"{name}: {labels}")
        expect(annotations["summary"] and re.search(r"\d|\$value", annotations["description"]), f"{name}: a description with numbers")
        expect(annotations["runbook_url"] == f"docs/runbooks/{name}.md", f"{name}: {annotations['runbook_url']}")
        page = (RUNBOOKS / f"{name}.md").read_text(encoding="utf-8")
        expect([line for line in page.split("\n") if line.startswith("## ")] == sections, f"{name}.md has not the five sections")
        expect(labels["severity"] in page.split("## ")[0].lower(), f"{name}.md does not say that it is {labels['severity']}")
    pages = {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"}
    expect(pages == names, f"pages without an alert: {pages - names}; alerts without a page: {names - pages}")
    index = set(re.findall(r"\]\((\w+)\.md\)", (RUNBOOKS / "README.md").read_text(encoding="utf-8")))
    expect(index == names, f"the index lacks {names - index} and has {index - names}")
    for page in RUNBOOKS.glob("*.md"):
        for link in re.findall(r"\]\((\w+\.md)\)", page.read_text(encoding="utf-8")):
            expect((RUNBOOKS / link).exists(), f"{page.name} links to {link}")


def rendered(template, alerts, status):
    """What Slack would show, by amtool."""
    def common(key):
        values = [alert[key] for alert in alerts]
        return {name: value for name, value in values[0].items() if all(other.get(name) == value for other in values)}

    data = {"receiver": "slack-critical", "status": status, "alerts": alerts, "groupLabels": {"alertname": alerts[0]["labels"]["alertname"]},
            "commonLabels": common("labels"), "commonAnnotations": common("annotations"), "externalURL": "http://alertmanager:9093"}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(data, file)
        file.flush()
        return run("amtool", "template", "render", f"--template.glob={ALERTMANAGER}/templates/*.tmpl", f"--template.data={file.name}",
                   "--template.text={{ template \"nextloop." + template + "\" . }}")


def check_alertmanager():
    with tempfile.TemporaryDirectory() as directory:
        configuration = pathlib.Path(directory) / "alertmanager.yml"
        configuration.write_text((ALERTMANAGER / "alertmanager.yml").read_text(encoding="utf-8").replace("/etc/alertmanager", str(ALERTMANAGER)))
        said = run("amtool", "check-config", configuration)
        expect("1 templates" in said and "2 receivers" in said, said)
        for rule in alert_rules():
            severity = rule["labels"]["severity"]
            to = run("amtool", "config", "routes", "test", f"--config.file={configuration}", f"severity={severity}", f"alertname={rule['alert']}")
            expect(to.strip() == f"slack-{severity}", f"{rule['alert']}: {to}")

    def disk(mountpoint, status="firing"):
        return {"status": status, "labels": {"alertname": "HostDiskLow", "severity": "critical", "family": "disk", "mountpoint": mountpoint},
                "annotations": {"summary": f"{mountpoint} has 2% left", "description": f"{mountpoint} has 2% free.", "runbook_url": "docs/runbooks/HostDiskLow.md"},
                "startsAt": "2026-11-22T03:00:01+09:00", "endsAt": "2026-11-21T18:20:00Z", "generatorURL": f"http://prometheus:9090/graph?g0.expr={mountpoint}"}

    one, two, over = [disk("/")], [disk("/"), disk("/var")], [disk("/", "resolved")]
    for template, alerts, status, wanted in [
        ("title", one, "firing", "CRITICAL / has 2% left"),
        ("title", two, "firing", "CRITICAL HostDiskLow (2)"),
        ("title", over, "resolved", "OVER / has 2% left"),
        ("title", [disk("/"), disk("/var", "resolved")], "firing", "CRITICAL / has 2% left"),
        ("colour", one, "firing", "danger"),
        ("colour", over, "resolved", "good"),
        ("link", one, "firing", "http://prometheus:9090/graph?g0.expr=/"),
        ("link", two, "firing", "http://alertmanager:9093/#/alerts?receiver=slack-critical"),
        ("footer", one, "firing", "HostDiskLow"),
        ("text", one, "firing", "/ has 2% free.\nSince 18:00:01 UTC, 21 November\nWhat to do: docs/runbooks/HostDiskLow.md\n"
         "Silence: http://alertmanager:9093/#/silences/new?filter=%7Balertname%3D%22HostDiskLow%22%7D\n"),
        ("text", two, "firing", "*/ has 2% left*\n/ has 2% free.\nSince 18:00:01 UTC, 21 November\n*/var has 2% left*\n/var has 2% free.\n"
         "Since 18:00:01 UTC, 21 November\nWhat to do: docs/runbooks/HostDiskLow.md\n"
         "Silence: http://alertmanager:9093/#/silences/new?filter=%7Balertname%3D%22HostDiskLow%22%7D\n"),
        ("text", over, "resolved", "Over: / has 2% left\nFrom 18:00:01 to 18:20:00 UTC, 21 November\n"),
    ]:
        got = rendered(template, alerts, status)
        expect(got == wanted, f"nextloop.{template} of {len(alerts)} {status}: {got!r}, wanted {wanted!r}")


UNITS = {"none", "s", "bytes", "Bps", "reqps", "cps", "ops", "percentunit", "dtdurations"}


def check_dashboards():
    """Four files that Grafana can load: unique ids, panels side by side, units and thresholds everywhere, one data source."""
    dashboards = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in DASHBOARDS.glob("*.json")}
    expect(set(dashboards) == {"service", "model", "deployment", "containers"}, f"{set(dashboards)}")
    for name, dashboard in dashboards.items():
        expect(dashboard["uid"] == f"nextloop-{name}" and dashboard["tags"] == ["nextloop"], f"{name}: uid and tags")
        variables = {variable["name"] for variable in dashboard["templating"]["list"]}
        panels = dashboard["panels"]
        expect(len({panel["id"] for panel in panels}) == len(panels), f"{name}: panel ids")
        for one, other in itertools.combinations([panel["gridPos"] for panel in panels], 2):
            apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
                     or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"])
            expect(apart, f"{name}: panels at {one} and {other} overlap")
        for panel in panels:
            expect(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, f"{name} / {panel['title']}: too wide")
            if panel["type"] == "row":
                continue
            defaults = panel["fieldConfig"]["defaults"]
            expect(defaults["unit"] in UNITS, f"{name} / {panel['title']}: unit {defaults['unit']}")
            expect(defaults["thresholds"]["steps"][0]["value"] is None, f"{name} / {panel['title']}: thresholds")
            expect(panel["datasource"]["uid"] == "${datasource}" and panel["targets"], f"{name} / {panel['title']}: data source")
            for target in panel["targets"]:
                used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval"}
                expect(used <= variables, f"{name} / {panel['title']}: variables {used - variables}")
    for file in (DEPLOY / "grafana/provisioning").rglob("*.yml"):
        expect(yaml.safe_load(file.read_text(encoding="utf-8"))["apiVersion"] == 1, f"{file.name}")
