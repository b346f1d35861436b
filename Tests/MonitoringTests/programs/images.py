"""The Dockerfile is built and the Compose file's own two services run from the image.

With a Docker engine: docker build and docker compose. Without one: buildah, podman and podman-compose, which need root but
no registry: the two base images are made here, debootstrap's Debian in place of debian:bookworm-slim, and the same with
the libraries that a Swift toolchain wants, the machine's own toolchain mounted, in place of swift:6.3-bookworm.
What is made is kept in .cache/images; a first run takes minutes, which is why it is opt-in (NEXTLOOP_TEST_IMAGES=1).
"""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

import yaml

from watch import DEPLOY, REPOSITORY, Stage, expect, fetch, free_ports, make_registry, wait_for

CACHE = REPOSITORY / ".cache/images"
IMAGE, SYSTEMD_IMAGE = "nextloop:test", "nextloop-systemd:test"
SWIFT_LIBRARIES = ("binutils-gold git gnupg2 libc6-dev libcurl4-openssl-dev libedit2 libgcc-12-dev libncurses-dev libpython3-dev "
                   "libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev pkg-config tzdata zlib1g-dev").split()


def run(*command, seconds=900, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds, check=False, **options)
    expect(done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Docker:
    compose = ["docker", "compose"]
    name = "docker"

    def build(self):
        run("docker", "build", "--build-arg", "COMMIT=test", "--tag", IMAGE, REPOSITORY)

    def container(self, *arguments):
        return run("docker", *arguments, seconds=60)


class Podman:
    name = "podman"

    def __init__(self):
        for program in ("buildah", "podman", "runc", "debootstrap"):
            expect(shutil.which(program), f"{program} is missing: apt-get install buildah podman runc debootstrap")
        CACHE.mkdir(parents=True, exist_ok=True)
        (CACHE / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{CACHE}/store"\nrunroot = "{CACHE}/run"\n')
        (CACHE / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=4096:4096","nproc=4096:4096"]\nnetns = "host"\nlog_driver = "k8s-file"\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
            f'[engine.runtimes]\nrunc = ["{shutil.which("runc")}"]\n')
        os.environ |= {"CONTAINERS_STORAGE_CONF": str(CACHE / "storage.conf"), "CONTAINERS_CONF": str(CACHE / "containers.conf"),
                       "BUILDAH_ISOLATION": "chroot"}
        self.compose = [pathlib.Path(sys.executable).parent / "podman-compose"]

    def has(self, image):
        return subprocess.run(["podman", "image", "exists", image], check=False).returncode == 0

    def make_bases(self, toolchain):
        runtime, build = "localhost/debian:bookworm-slim", "localhost/swift:6.3-bookworm"
        if not self.has(runtime):
            root = CACHE / "rootfs"
            if not (root / "etc/debian_version").exists():
                run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root, "http://deb.debian.org/debian")
            archive = CACHE / "rootfs.tar"
            run("tar", "-C", root, "--numeric-owner", "--exclude=./var/cache/apt/archives/*.deb", "-cf", archive, ".")
            container = run("buildah", "from", "scratch").strip()
            run("buildah", "add", "-q", container, archive, "/")
            run("buildah", "config", "--cmd", "/bin/bash", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
            run("buildah", "commit", "-q", container, runtime)
            run("buildah", "rm", container)
        if not self.has(build):
            container = run("buildah", "from", "--pull=never", runtime).strip()
            for command in ("apt-get update -qq", f"apt-get install -y -qq --no-install-recommends {' '.join(SWIFT_LIBRARIES)}"):
                run("buildah", "run", "--isolation", "chroot", container, "--", "sh", "-c", f"DEBIAN_FRONTEND=noninteractive {command}")
            run("buildah", "config", "--env", f"PATH={toolchain}/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
            run("buildah", "commit", "-q", container, build)
            run("buildah", "rm", container)

    def build(self):
        toolchain = pathlib.Path(os.path.realpath(shutil.which("swift"))).parents[2]
        self.make_bases(toolchain)
        # Packages from the machine's cache, where there is no way to their repositories.
        packages = pathlib.Path.home() / ".cache/org.swift.swiftpm"
        volumes = ["-v", f"{toolchain}:{toolchain}:ro", *(["-v", f"{packages}:/root/.cache/org.swift.swiftpm"] if packages.exists() else [])]
        run("buildah", "bud", "--isolation", "chroot", "--pull=never", "--format", "docker", "--layers", "--force-rm", *volumes,
            "--build-arg", "COMMIT=test", "-t", f"localhost/{IMAGE}", REPOSITORY, seconds=1800)

    def container(self, *arguments):
        return run("podman", *arguments, seconds=60)


    def make_systemd_image(self):
        """The image with systemd in it: a machine with systemd as its first process, in a container."""
        if not self.has(f"localhost/{SYSTEMD_IMAGE}"):
            container = run("buildah", "from", "--pull=never", f"localhost/{IMAGE}").strip()
            run("buildah", "run", "--user", "0:0", "--isolation", "chroot", container, "--", "sh", "-c",
                "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends systemd nginx jq curl gettext-base procps")
            run("buildah", "commit", "-q", container, f"localhost/{SYSTEMD_IMAGE}")
            run("buildah", "rm", container)


def engine():
    docker = shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    return Docker() if docker else Podman()


def own_services(directory, ports):
    """compose.yaml without the other images, on the machine's network: addresses and bridges need an engine's own.

    Users, file systems, capabilities, limits, secrets and settings stay as they are."""
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = {}
    for colour, port in ports.items():
        service = whole["services"][colour]
        for key in ("networks", "ports", "restart", "logging", "healthcheck"):
            service.pop(key)
        service |= {"network_mode": "host", "container_name": f"nextloop-test-{colour}", "healthcheck": {"disable": True}}
        service["environment"] |= {"NEXTLOOP_PORT": str(port), "NEXTLOOP_HOST": "127.0.0.1"}
        # No more than this machine lets anybody have.
        service["ulimits"] = {"nofile": min(service["ulimits"]["nofile"], resource.getrlimit(resource.RLIMIT_NOFILE)[1]), "nproc": 4096}
        services[colour] = service
    file = directory / "compose.yaml"
    file.write_text(yaml.safe_dump({"name": "nextloop-test", "services": services, "secrets": {"admin-token": whole["secrets"]["admin-token"]}}))
    return file


def let_colours_write(models):
    """What docs/operations.md has done to the directories of models, "What a colour may write"."""
    for model in models.iterdir():
        if os.geteuid() == 0:
            os.chown(model, -1, 10001)
            model.chmod(0o775)
        else:  # With Docker this test need not be root.
            model.chmod(0o777)


def build_and_run(binary, directory):
    programs = engine()
    programs.build()
    size = int(programs.container("image", "inspect", "--format", "{{.Size}}", IMAGE))
    print(f"{type(programs).__name__}: image of {size / 1e6:.0f} MB")

    make_registry(binary, directory)
    let_colours_write(directory / "models")
    (directory / "secrets").mkdir()
    token = directory / "secrets/admin-token"
    token.write_text("0123456789abcdef0123456789abcdef\n")
    token.chmod(0o444)  # What comes out of install -o 10001; this test need not be root with Docker.
    directory.chmod(0o755)
    ports = dict(zip(("blue", "green"), free_ports(2)))
    file = own_services(directory, ports)
    environment = {**os.environ, "NEXTLOOP_MODELS": str(directory / "models"), "NEXTLOOP_SECRETS": str(directory / "secrets"),
                   "NEXTLOOP_BLUE_IMAGE": IMAGE, "NEXTLOOP_GREEN_IMAGE": IMAGE, "NEXTLOOP_BLUE_VERSION": "1", "NEXTLOOP_GREEN_VERSION": ""}
    try:
        run(*programs.compose, "-f", file, "up", "-d", seconds=120, env=environment)
        for colour, version in (("blue", "1"), ("green", "3")):  # green: what the alias names
            name, address = f"nextloop-test-{colour}", f"http://127.0.0.1:{ports[colour]}"

            def ready():
                try:
                    return fetch(f"{address}/readyz")[0] == 200
                except OSError:
                    return False
            wait_for(ready, 30, f"{name}: {programs.container('logs', name)}")
            status, headers, _ = fetch(f"{address}/recommend?user_id=1&k=3")
            expect(status == 200 and headers["X-Model-Version"] == version, f"{name}: {status} {headers}")
            operator = {"Authorization": f"Bearer {token.read_text().strip()}"}
            if colour == "blue":
                taken = json.loads(fetch(f"{address}/popular?k=1")[2])["items"][0]["item_id"]
                status, _, body = fetch(f"{address}/admin/items/{taken}/unavailable", headers=operator, method="PUT")
                expect(status == 200, f"{name}: an item taken from sale: {status} {body}")

            def knows_what_is_taken():
                status, _, body = fetch(f"{address}/admin/items/unavailable", headers=operator)
                expect(status == 200, f"{name}: the admin token of the secret: {status} {body}")
                return [mark["item_id"] for mark in json.loads(body)["unavailable"]] == [taken]
            wait_for(knows_what_is_taken, 10, f"{name}: {taken} is taken from sale")
            expect(json.loads(fetch(f"{address}/popular?k=1")[2])["items"][0]["item_id"] != taken, f"{name}: {taken} is not for sale")
            # The health check of image and Compose file.
            programs.container("exec", name, "/usr/local/bin/nextloop", "probe")
            said = programs.container("exec", name, "sh", "-c", "id -u; touch /x /usr/local/bin/x /models/x /models/room-service/1/x 2>&1; grep -E '^(CapEff|NoNewPrivs)' /proc/1/status").split("\n")
            expect(said[0] == "10001", f"{name} runs as {said[0]}")
            expect(sum("Read-only file system" in line for line in said) == 2 and sum("Permission denied" in line for line in said) == 2, f"{said}")
            expect(any(line.split() == ["CapEff:", "0000000000000000"] for line in said) and any(line.split() == ["NoNewPrivs:", "1"] for line in said), f"{said}")
            programs.container("stop", "-t", "20", name)
            code = programs.container("inspect", "--format", "{{.State.ExitCode}}", name).strip()
            expect(code == "0", f"{name}: exit {code} after SIGTERM")
        # green followed the alias and compared what it names with the version before.
        (verdict,) = json.loads((directory / "models/room-service/verdicts.json").read_text(encoding="utf-8"))
        expect(verdict["version"] == 3, f"{verdict}")
    finally:
        subprocess.run([*map(str, programs.compose), "-f", file, "down", "-t", "5"], env=environment, capture_output=True, timeout=120, check=False)
    deploy_blue_green(programs, binary)
    if isinstance(programs, Podman):
        deploy_with_systemd(programs, binary)
        install_with_systemd(programs, binary)


def deploy_blue_green(programs, binary):
    """deploy/blue-green with containers of the image behind real nginx: nothing is lost, whatever happens to them."""
    words = " ".join(f"'{word}'" for word in programs.compose)
    with Stage(binary, seconds=240, MODE="compose", COMPOSE=words, CONTAINER=programs.name, CONTAINER_NAME="nextloop-test-",
               LOAD_REQUESTS=200, READY_SECONDS=30) as stage:
        secrets = stage.directory / "secrets"
        secrets.mkdir()
        (secrets / "admin-token").write_text("0123456789abcdef0123456789abcdef\n")
        (secrets / "admin-token").chmod(0o444)
        file = stage.settings["COMPOSE_FILE"] = own_services(stage.directory, stage.ports)
        # As docs/operations.md says: what differs on this machine stands in compose.env, and stays there.
        stage.tool("init")
        with open(stage.state / "compose.env", "a", encoding="utf-8") as values:
            values.write(f"NEXTLOOP_MODELS={stage.directory}/models\nNEXTLOOP_SECRETS={secrets}\nNEXTLOOP_BLUE_IMAGE={IMAGE}\nNEXTLOOP_GREEN_IMAGE={IMAGE}\n")

        def running(colour):
            return programs.container("ps", "--quiet", "--filter", f"name=nextloop-test-{colour}").strip() != ""
        try:
            stage.tool("deploy", "--version", 1, "--image", IMAGE)
            stage.start_load(rate=300)
            stage.tool("deploy", "--version", 2, "--image", IMAGE, "--canary", "50")
            status = stage.status()
            expect(status["live"] == "green" and status["colours"][1]["version"] == "2" and status["colours"][1]["image"] == IMAGE, f"{status}")
            stage.tool("rollback")
            expect(stage.status()["live"] == "blue", "the rollback")

            # Refused: a version that is not there, an image that is not there. The last words and the log are kept.
            _, errors = stage.tool("deploy", "--version", 99, "--image", IMAGE, wanted=1, REGISTRY="")
            expect("it ended while starting" in errors and "99" in (stage.state / "log/green.log").read_text(), errors)
            _, errors = stage.tool("deploy", "--image", "localhost/nextloop:missing", wanted=1)
            expect("compose up failed" in errors or "it ended while starting" in errors, errors)
            expect(not running("green") and stage.status()["live"] == "blue", "nothing is left of it")

            # An image alone: the version stays. The colour is killed in the watch; then the live one, with a warm one beside it.
            process = stage.start_tool("deploy", "--image", IMAGE, WATCH_SECONDS=30)
            wait_for(lambda: stage.step() == "watch", 60, "the watch")
            programs.container("kill", "--signal", "KILL", "nextloop-test-green")
            _, errors = process.communicate(timeout=60)
            expect(process.returncode == 1 and "it crashed" in errors, f"exit {process.returncode}\n{errors}")
            stage.tool("deploy", "--version", 2, "--image", IMAGE)
            programs.container("kill", "--signal", "KILL", "nextloop-test-green")
            stage.tool("rollback")
            expect(stage.status()["live"] == "blue", "the warm colour is live")
            print(f"{programs.name}: {stage.stop_load(1, 2, 3)} answers by version, none lost")
            stage.tool("stop", "blue", "--force")
            expect(not running("blue"), "stopped")
        finally:
            for colour in stage.ports:
                subprocess.run([programs.name, "rm", "--force", "--time", "5", f"nextloop-test-{colour}"], capture_output=True, timeout=60, check=False)
            subprocess.run([*map(str, programs.compose), "-f", file, "down", "-t", "5"], capture_output=True, timeout=120, check=False)


def deploy_with_systemd(programs, binary):
    """deploy/blue-green and the hardened units with a real systemd: the first process of a container that has the image's binary."""
    programs.make_systemd_image()
    name = "nextloop-test-systemd"
    with Stage(binary, seconds=240, MODE="systemd", SYSTEMCTL=f"podman exec {name} systemctl", LOAD_REQUESTS=200, READY_SECONDS=30,
               KEEP_WARM="forever") as stage:
        stage.tool("init")
        # Outside, journalctl would read this machine's journal.
        shims = stage.directory / "shims"
        shims.mkdir()
        (shims / "journalctl").write_text(f'#!/bin/sh\nexec podman exec {name} journalctl "$@"\n')
        (shims / "journalctl").chmod(0o755)
        stage.settings["PATH"] = f"{shims}:{os.environ['PATH']}"

        limit = stage.directory / "limit.conf"
        limit.write_text("[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=2\n")

        def inside(*arguments):
            return programs.container("exec", name, *arguments)

        def main_pid(colour):
            return inside("systemctl", "show", "--property", "MainPID", "--value", f"nextloop@{colour}").strip()
        try:
            programs.container(
                "run", "--detach", "--name", name, "--systemd=always", "--privileged", "--user", "0:0", "--no-healthcheck", "--entrypoint", "/lib/systemd/systemd",
                "--volume", f"{DEPLOY}/systemd/nextloop@.service:/etc/systemd/system/nextloop@.service:ro",
                "--volume", f"{limit}:/etc/systemd/system/nextloop@.service.d/limit.conf:ro",
                "--volume", f"{stage.state}:/var/lib/nextloop/blue-green:ro", "--volume", f"{stage.directory}/models:/var/lib/nextloop/models:ro",
                f"localhost/{SYSTEMD_IMAGE}")

            def is_up():
                done = subprocess.run(["podman", "exec", name, "systemctl", "is-system-running"], capture_output=True, text=True, timeout=30, check=False)
                return done.stdout.strip() in ("running", "degraded")
            wait_for(is_up, 30, "systemd")
            stage.tool("deploy", "--version", 1)
            stage.start_load(rate=300)
            stage.tool("deploy", "--version", 2, "--canary", "50")
            status = inside("sh", "-c", f"grep -E '^(Uid|CapEff|NoNewPrivs|Seccomp):' /proc/{main_pid('green')}/status")
            expect(status.split()[1] == "10001" and "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status, status)
            # Killed in the watch: systemd has it running again a second later, and it counts as a crash all the same.
            process = stage.start_tool("deploy", "--version", 3, WATCH_SECONDS=30)
            wait_for(lambda: stage.step() == "watch", 60, "the watch")
            inside("systemctl", "kill", "--signal", "KILL", "nextloop@blue")
            _, errors = process.communicate(timeout=60)
            expect(process.returncode == 1 and "it crashed" in errors, f"exit {process.returncode}\n{errors}")
            # More starts of a failing unit than systemd allows on its own account (limit.conf): each says what is wrong.
            for _ in range(3):
                _, errors = stage.tool("deploy", "--version", 99, wanted=1, REGISTRY="")
                expect("it ended while starting" in errors and "99" in errors, errors)
            # Without a deploy running: the warm colour answers, systemd brings the live one back.
            stage.tool("deploy", "--version", 1, WATCH_SECONDS=0, LOAD_REQUESTS=0)
            colour = stage.status()["live"]
            before = main_pid(colour)
            inside("systemctl", "kill", "--signal", "KILL", f"nextloop@{colour}")
            wait_for(lambda: main_pid(colour) not in ("0", before), 20, "the restart by systemd")
            wait_for(lambda: stage.status()["colours"][("blue", "green").index(colour)]["ready"], 20, "the live colour")
            stage.tool("rollback")
            print(f"systemd: {stage.stop_load(1, 2, 3)} answers by version, none lost")
            for colour in stage.ports:
                stage.tool("stop", colour, "--force")
                expect(main_pid(colour) == "0", f"{colour} is stopped")
        finally:
            subprocess.run(["podman", "rm", "--force", "--time", "5", name], capture_output=True, timeout=60, check=False)


def install_with_systemd(programs, binary):
    """The commands of docs/operations.md that install it on a machine with systemd, as they stand there; then a reboot."""
    page = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
    script = "".join(re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    # The image has the program already, linked so that it runs there.
    built = "scripts/build nextloop\ninstall -m 0755 .build/release/nextloop /usr/local/bin/\n"
    expect(built in script, f"the page still says {built}")
    name = "nextloop-test-install"
    with Stage(binary, seconds=120, nginx=False) as stage:
        programs.container(
            "run", "--detach", "--name", name, "--systemd=always", "--privileged", "--user", "0:0", "--no-healthcheck", "--network", "none",
            "--entrypoint", "/lib/systemd/systemd", "--workdir", "/opt/nextloop", "--volume", f"{REPOSITORY}:/opt/nextloop:ro",
            "--volume", f"{stage.directory}/models:/var/lib/nextloop/models", f"localhost/{SYSTEMD_IMAGE}")
        try:
            def asked(port, path, *options):
                """An operator's request, with the token that the page has made."""
                token = programs.container("exec", name, "cat", "/etc/nextloop/admin-token").strip()
                return json.loads(programs.container("exec", name, "curl", "-sS", "-m", "5", "-H", f"Authorization: Bearer {token}", *options,
                                                     f"http://127.0.0.1:{port}{path}"))

            def taken_from_sale(port):
                return [mark["item_id"] for mark in asked(port, "/admin/items/unavailable")["unavailable"]]

            def answers():
                done = subprocess.run(["podman", "exec", name, "curl", "-s", "-m", "2", "http://127.0.0.1:8080/recommend?user_id=1&k=1"],
                                      capture_output=True, text=True, timeout=30, check=False)
                return '"model_version":3' in done.stdout

            def is_up():
                return subprocess.run(["podman", "exec", name, "systemctl", "list-units"], capture_output=True, timeout=30, check=False).returncode == 0
            wait_for(is_up, 30, "systemd")
            print(programs.container("exec", "--env", "BLUE_GREEN_WATCH_SECONDS=1", name, "bash", "-euo", "pipefail", "-c", script.replace(built, "")))
            expect(answers(), "nginx sends guests to the colour that was deployed")
            item = asked(8081, "/popular?k=1")["items"][0]["item_id"]
            said = asked(8081, f"/admin/items/{item}/unavailable", "-X", "PUT")
            expect(said.get("unavailable", {}).get("item_id") == item, f"{said}")
            expect((stage.directory / "models/room-service/unavailable.json").stat().st_uid == 10001, "the service wrote it")
            programs.container("stop", "-t", "20", name)
            programs.container("start", name)
            wait_for(answers, 40, "the colours and nginx after a reboot")
            said = programs.container("exec", name, "deploy/blue-green", "status")
            expect(re.search(r"blue .*running, ready, version 3", said) and "follows the table" in said, said)
            # Idle, and started at boot all the same: on its own port.
            expect(re.search(r"green .*8082 .*ready", said), said)
            expect(taken_from_sale(8081) == taken_from_sale(8082) == [item], "both colours know what was taken from sale before the reboot")
        finally:
            subprocess.run(["podman", "rm", "--force", "--time", "5", name], capture_output=True, timeout=60, check=False)
