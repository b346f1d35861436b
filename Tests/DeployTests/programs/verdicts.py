"""Scenarios about what verdicts are made of: deploy/lib/measure.sh on made-up counters, and the overlap of two models."""

import http.server
import pathlib
import subprocess
import tempfile
import threading

from stage import REPOSITORY, Stage, expect, free_ports, scenario, wait_for


def counters(quick, bulk, bulk_errors=0):
    """/metrics of a colour that answered `quick` questions within 5 ms and held `bulk` streams for half a minute each."""
    lines = []
    for handler, status, count, bucket in (("/recommend", "2xx", quick, 0.005), ("/recommend/bulk", "2xx", bulk - bulk_errors, 60),
                                           ("/recommend/bulk", "5xx", bulk_errors, 60), ("/livez", "2xx", 100_000, 60)):
        labels = f'method="POST",handler="{handler}",status="{status}"'
        lines.append(f"http_requests_total{{{labels}}} {count}")
        for bound in ("0.001", "0.005", "0.25", "30", "60", "+Inf"):
            lines.append(f'http_request_duration_seconds_bucket{{{labels},le="{bound}"}} {count if float(bound) >= bucket else 0}')
        lines.append(f"http_request_duration_seconds_count{{{labels}}} {count}")
    return "\n".join(lines) + "\n"


def measured(script, *arguments, **settings):
    """What a line of shell says that has the tool's settings and measurements."""
    given = "".join(f"setting[{name}]='{value}'; " for name, value in settings.items())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'. "$0/settings.sh"; . "$0/measure.sh"; {given}{script}', REPOSITORY / "deploy/lib", *arguments],
        capture_output=True, text=True, timeout=30, check=False)
    expect(done.returncode == 0, done.stderr)
    return done.stdout.strip()


@scenario
def bulk_streams_have_no_latency(_binary):
    """A bulk stream lasts as long as its client reads: two scrapes count its errors, and no second of it."""
    def verdict(earlier, later, **settings):
        return measured('work=$(mktemp -d); trap \'rm -r "$work"\' EXIT; answer_of() { printf "%s" "$now"; }; '
                        'now=$1; scrape blue "$work/a"; now=$2; scrape blue "$work/b"; read -ra n <<<"$(between "$work/a" "$work/b")"; '
                        'echo "${n[*]}"; judge "${n[@]}" "" "" ""; judge "${n[@]}" 500 0 nan', earlier, later, **settings).split("\n")

    counts, alone, _ = verdict(counters(1000, 500), counters(1400, 800))
    samples, errors, p99 = counts.split()
    expect((samples, errors) == ("700", "0") and 0.001 < float(p99) <= 0.005, counts)
    expect(alone.startswith("pass 700 requests"), alone)
    # One request in seventy fails, and all of those are streams.
    counts, alone, _ = verdict(counters(1000, 500), counters(1400, 800, bulk_errors=10))
    expect(counts.startswith("700 10 0.00") and alone.startswith("fail") and "more errors than" in alone, f"{counts} {alone}")
    # Streams alone, or 199 questions beside them: nobody knows how fast it is, and nobody claims to.
    for quick in (0, 199):
        counts, alone, _ = verdict(counters(1000, 500), counters(1000 + quick, 900))
        expect(counts == f"{400 + quick} 0 nan" and alone.startswith("not-enough-traffic") and "wanted 200 latencies" in alone, f"{counts} {alone}")
    counts, alone, beside_streams = verdict(counters(1000, 500), counters(1200, 900))
    expect(counts.startswith("600 0 0.00") and alone.startswith("pass"), f"{counts} {alone}")
    expect(beside_streams.startswith("not-enough-traffic live colour: wanted 200 latencies"), beside_streams)


@scenario
def bulk_streams_in_prometheus(_binary):
    """The same through the queries, asked of a real Prometheus."""
    class Colour(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.scrapes += 1
            scrapes = self.server.scrapes
            body = counters(300 * scrapes if self.server.is_asked else 0, 300 * scrapes, scrapes).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    servers = {colour: http.server.ThreadingHTTPServer(("127.0.0.1", 0), Colour) for colour in ("blue", "green")}
    for colour, server in servers.items():
        server.scrapes, server.is_asked = 0, colour == "blue"
        threading.Thread(target=server.serve_forever, daemon=True).start()
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="nextloop verdicts ") as directory:
        directory = pathlib.Path(directory)
        targets = "".join(f'      - {{targets: ["127.0.0.1:{server.server_port}"], labels: {{colour: {colour}}}}}\n' for colour, server in servers.items())
        (directory / "prometheus.yml").write_text("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n"
                                                  f"  - job_name: nextloop\n    static_configs:\n{targets}")
        prometheus = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], stderr=subprocess.DEVNULL)
        try:
            def counts(colour):
                return measured(f"prometheus_counts {colour} 10", PROMETHEUS_URL=url).split()
            wait_for(lambda: all(float(counts(colour)[0]) > 400 for colour in servers), 40, "two scrapes of both colours")
            samples, errors, p99 = counts("blue")
            expect(float(samples) > 400 and float(errors) > 0 and 0.001 < float(p99) <= 0.005, f"{samples} {errors} {p99}")
            samples, errors, p99 = counts("green")
            expect(float(samples) > 200 and float(errors) > 0 and p99 == "nan", f"{samples} {errors} {p99}")
        finally:
            prometheus.kill()
            prometheus.wait()
            for server in servers.values():
                server.shutdown()
                server.server_close()


@scenario
def overlap_of_known_guests(binary):
    """Guests' ids as a spreadsheet saves them are found; lists of what is popular agree with each other and prove nothing."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        stage.tool("deploy", "--version", 1)
        guests = stage.users.read_text().split()[:16]
        file = stage.directory / "guests.csv"
        strangers = [f"stranger-{number}" for number in range(40)]

        def refused(text, why, version, **settings):
            file.write_bytes(text.encode())
            _, errors = stage.tool("deploy", "--version", version, wanted=1, USERS_FILE=file, **settings)
            expect(why in errors and stage.status()["last"]["result"] == "refused", f"wanted '{why}' in:\n{errors}")

        def passed(text, version, **settings):
            file.write_bytes(text.encode())
            stage.tool("deploy", "--version", version, USERS_FILE=file, **settings)
            return [event for event in stage.journal() if event["event"] == "overlap"][-1]

        refused("\r\n\n", "overlap: no guest's id in", 2)
        refused("\n".join(strangers), "only 0 of 20 guests are known to both models", 2)
        # One known guest too few, then as many as it takes, with the marks that editors leave. They alone are compared.
        refused("\n".join(guests[:9] + strangers[:11]), "only 9 of 20 guests are known to both models", 2)
        event = passed("\ufeff" + "\r\n".join(guests[:10] + strangers[:10]) + "\r\n\r\n", 2, OVERLAP_MIN="0.001")
        expect(event["guests"] == "10" and 0 < float(event["overlap"]) < 1, f"{event}")
        # Nothing is asked of a model that has other guests on purpose.
        expect(passed("\n".join(strangers), 1, OVERLAP_MIN=0)["guests"] == "0", "no list is compared")
