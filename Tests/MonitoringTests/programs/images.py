"""The Dockerfile is built and the Compose file's own two services run from the image.

With a Docker engine: docker build and docker compose. Without one: buildah, podman and podman-compose, which need root but
no registry: the two base images are made here, debootstrap's Debian in place of debian:bookworm-slim, and the same with
the libraries that a Swift toolchain wants, the machine's own toolchain mounted, in place of swift:6.3-bookworm.
What is made is kept in .cache/images; a first run takes minutes, which is why it is opt-in (NEXTLOOP_TEST_IMAGES=1).
"""

import os
import pathlib
import resource
import shutil
import subprocess
import sys

import yaml

from watch import DEPLOY, REPOSITORY, expect, fetch, free_ports, make_registry, wait_for

CACHE = REPOSITORY / ".cache/images"
IMAGE = "nextloop:test"
SWIFT_LIBRARIES = ("binutils-gold git gnupg2 libc6-dev libcurl4-openssl-dev libedit2 libgcc-12-dev libncurses-dev libpython3-dev "
                   "libsqlite3-0 libstdc++-12-dev libxml2-dev libz3-dev pkg-config tzdata zlib1g-dev").split()


def run(*command, seconds=900, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=seconds, check=False, **options)
    expect(done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Docker:
    compose = ["docker", "compose"]

    def build(self):
        run("docker", "build", "--build-arg", "COMMIT=test", "--tag", IMAGE, REPOSITORY)

    def container(self, *arguments):
        return run("docker", *arguments, seconds=60)


class Podman:
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


def build_and_run(binary, directory):
    programs = engine()
    programs.build()
    size = int(programs.container("image", "inspect", "--format", "{{.Size}}", IMAGE))
    print(f"{type(programs).__name__}: image of {size / 1e6:.0f} MB")

    make_registry(binary, directory)
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
            status, _, body = fetch(f"{address}/admin/items/unavailable", headers={"Authorization": f"Bearer {token.read_text().strip()}"})
            expect(status == 200, f"{name}: the admin token of the secret: {status} {body}")
            # The health check of image and Compose file.
            programs.container("exec", name, "/usr/local/bin/nextloop", "probe")
            said = programs.container("exec", name, "sh", "-c", "id -u; touch /x /models/x /usr/local/bin/x 2>&1; grep -E '^(CapEff|NoNewPrivs)' /proc/1/status").split("\n")
            expect(said[0] == "10001", f"{name} runs as {said[0]}")
            expect(sum("Read-only file system" in line for line in said) == 3, f"{said}")
            expect(any(line.split() == ["CapEff:", "0000000000000000"] for line in said) and any(line.split() == ["NoNewPrivs:", "1"] for line in said), f"{said}")
            programs.container("stop", "-t", "20", name)
            code = programs.container("inspect", "--format", "{{.State.ExitCode}}", name).strip()
            expect(code == "0", f"{name}: exit {code} after SIGTERM")
    finally:
        subprocess.run([*map(str, programs.compose), "-f", file, "down", "-t", "5"], env=environment, capture_output=True, timeout=120, check=False)
