"""Checks of the files that run things: Compose file, Dockerfile, systemd units, GitHub's workflows. Nothing is started."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

from files import run
from watch import DEPLOY, REPOSITORY, expect

TOOLS = pathlib.Path(sys.executable).parent  # actionlint, zizmor, ... beside this interpreter: Tests/Oracles/requirements.txt
COMPOSE = DEPLOY / "compose.yaml"


def check_compose():
    """Valid, and what an operator relies on: exact versions, no root, nothing writable, limits, and one door to the outside."""
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    run(TOOLS / "podman-compose", "-f", COMPOSE, "config")
    whole = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    services = whole["services"]
    expect(set(services) == {"blue", "green", "nginx", "prometheus", "alertmanager", "grafana", "nginx-exporter", "node-exporter", "cadvisor"}, f"{set(services)}")
    outside = []
    for name, service in services.items():
        expect(service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"], f"{name}: hardening")
        expect(service["mem_limit"] and service["cpus"] and service["pids_limit"] and service["restart"] == "unless-stopped", f"{name}: limits")
        expect("privileged" not in service and "cap_add" not in service and service.get("network_mode") is None, f"{name}: privileges")
        expect(re.search(r":v?\d+\.\d+\.\d+\}?$", service["image"]), f"{name}: the image {service['image']} has no exact version")
        # cAdvisor reads other containers' cgroups and the engine's socket: the one that is root.
        expect(name == "cadvisor" or not re.match(r"(0|root)\b", service["user"]), f"{name}: user")
        # From an image without a shell.
        expect(name == "nginx-exporter" or service["healthcheck"]["test"][0] == "CMD", f"{name}: health check")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                outside.append((name, port))
        for volume in service.get("volumes", []):
            source, target, options = (re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume) + ":").split(":")[:3]
            if source.startswith("."):
                # The colours keep beside the versions what is taken from sale.
                wanted = "" if name in ("blue", "green") and target == "/models" else "ro"
                expect((DEPLOY / source).exists() and options == wanted, f"{name}: {volume}")
        expect(set(service.get("networks", [])) <= set(whole["networks"]), f"{name}: networks")
        for secret in service.get("secrets", []):
            expect((secret if isinstance(secret, str) else secret["source"]) in whole["secrets"], f"{name}: {secret}")
    expect(outside == [("nginx", "${NEXTLOOP_PUBLISH:-8080}:8080")], f"published to the outside: {outside}")
    expect(all(list(secret) == ["file"] for secret in whole["secrets"].values()), "secrets are files")

    # nginx gets every template, each under its own name.
    mounted = {volume.split(":")[1].removeprefix("/etc/nginx/templates/") for volume in services["nginx"]["volumes"] if "templates" in volume}
    templates = {path.name for path in (REPOSITORY / "nginx/templates").iterdir()}
    expect(mounted == templates, f"not mounted: {templates - mounted}; unknown: {mounted - templates}")
    # What Prometheus scrapes are services, on a network that it is on too.
    names = {name: set(service["networks"]) for name, service in services.items()}
    for file in (DEPLOY / "prometheus/targets/compose").iterdir():
        for group in yaml.safe_load(file.read_text(encoding="utf-8")):
            for target in group["targets"]:
                host = target.split(":")[0]
                expect(host == "127.0.0.1" or names[host] & set(services["prometheus"]["networks"]), f"{file.name}: Prometheus does not reach {target}")
    addresses = {name: services[name]["networks"]["colours"]["ipv4_address"] for name in ("blue", "green")}
    for name, address in addresses.items():
        expect(services["nginx"]["environment"][f"NEXTLOOP_{name.upper()}_ADDRESS"] == f"{address}:8080", f"nginx' address of {name}")


def check_dockerfile():
    # DL3008: packages are Debian's of the day, for their security updates; the image's digest is what is pinned.
    run(TOOLS / "hadolint", "--no-color", "--ignore", "DL3008", REPOSITORY / "Dockerfile")
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    final = text[text.rindex("\nFROM "):]
    for line in ("USER 10001:10001", 'CMD ["/usr/local/bin/nextloop", "probe"]', 'ENTRYPOINT ["/usr/local/bin/nextloop"]', "STOPSIGNAL SIGTERM"):
        expect(line in final, f"the Dockerfile's last stage lacks {line}")


def check_units():
    """systemd-analyze, where there is one: no finding, and an exposure of at most 2 of 10."""
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is missing: the units were not verified")
        return
    with tempfile.TemporaryDirectory() as directory:
        units = pathlib.Path(directory)
        for unit in (DEPLOY / "systemd").iterdir():
            text = unit.read_text(encoding="utf-8").replace("/usr/local/bin/nextloop", "/bin/true")  # It must be there.
            (units / unit.name.replace("@.", "@blue.")).write_text(text)
        for unit in units.iterdir():
            done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False)
            findings = [line for line in done.stderr.split("\n") if unit.name in line]
            expect(not findings, f"{findings}")
    said = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", DEPLOY / "systemd/nextloop@.service")
    print(said.strip().split("\n")[-1])


def check_rights(workflows):
    """Whatever a pull request can start may read the contents and nothing more; what may write does not run for one."""
    for file in workflows:
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        expect("permissions" in workflow, f"{file.name} says what its jobs may do")
        for name, job in workflow["jobs"].items():
            rights = job.get("permissions", workflow["permissions"])
            # YAML 1.1 reads the key `on` as true.
            from_outside = "pull_request" in workflow[True] and job.get("if") != "github.event_name == 'push'"
            writes = [right for right, kind in rights.items() if (right, kind) != ("contents", "read")]
            expect(not (from_outside and writes), f"{file.name}, {name}: a pull request has {writes}")


def check_workflows():
    """actionlint, zizmor, the schemas; and every action is pinned by the commit of a named version."""
    workflows = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
    expect({file.stem for file in workflows} == {"test", "image", "deploy", "rollback"}, f"{workflows}")
    run(TOOLS / "actionlint", "-no-color", *workflows, cwd=REPOSITORY)
    run(TOOLS / "zizmor", "--offline", "--no-progress", REPOSITORY / ".github")
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.dependabot", REPOSITORY / ".github/dependabot.yml")
    for file in workflows:
        for line in file.read_text(encoding="utf-8").split("\n"):
            if "uses:" in line:
                expect(re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), f"{file.name}: {line.strip()}")
    check_rights(workflows)
    deploy, rollback = (yaml.safe_load((REPOSITORY / f".github/workflows/{name}.yml").read_text(encoding="utf-8")) for name in ("deploy", "rollback"))
    expect(deploy["jobs"]["deploy"]["environment"] == "production" and deploy["concurrency"]["group"] == "production", "approval and one at a time")
    for job in (deploy["jobs"]["deploy"], rollback["jobs"]["rollback"]):
        checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
        expect(job["if"] == "github.ref == 'refs/heads/main'" and checkout["with"]["ref"] == "main", "main alone runs on the serving machine")
    expect("concurrency" not in rollback and set(rollback["jobs"]["rollback"]["runs-on"]) != set(deploy["jobs"]["deploy"]["runs-on"]), "a rollback waits for nobody")
