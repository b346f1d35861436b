"""A stage with everything that watches it: Prometheus, Alertmanager, exporters and a receiver in place of Slack.

They run the configuration of deploy/ itself. Only what must differ in a test is written over: addresses (targets/ and the
two webhook files), where files lie, and durations, so that nothing waits for minutes.
"""

import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "DeployTests/programs"))
from stage import REPOSITORY, Failed, Stage, expect, fetch, free_ports, make_registry, wait_for  # noqa: E402

DEPLOY = REPOSITORY / "deploy"


def shortened(text):
    """A configuration with the same content and seconds for every duration that makes people wait."""
    text = re.sub(r"(scrape_interval|scrape_timeout|evaluation_interval|group_wait|group_interval): \S+", r"\1: 1s", text)
    return re.sub(r"(?m)^(\s+)for: \S+", r"\1for: 2s", text)


class Slack:
    """Two webhooks; keeps what was posted to each."""

    def __init__(self):
        self.posts = {"critical": [], "warning": []}
        slack = self

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                post = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                slack.posts[self.path.rsplit("/", 1)[1]].append(post["attachments"][0])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, channel):
        return f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/{channel}"

    def titles(self, channel):
        return [post["title"] for post in self.posts[channel]]

    def wait(self, channel, title, seconds=60):
        def found():
            return [post for post in self.posts[channel] if post["title"] == title]
        wait_for(found, seconds, f"'{title}' in {channel}; there are {self.posts}")
        return found()[0]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Watch(Stage):
    def __init__(self, binary, with_tls=False, **settings):
        super().__init__(binary, nginx=False, **settings)
        self.with_tls = with_tls
        (self.prometheus_port, self.alertmanager_port, self.node_port, self.nginx_exporter_port) = free_ports(4)
        self.slack = Slack()

    def __enter__(self):
        super().__enter__()
        try:
            self.start_nginx()
            self.start_watching()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            for log in sorted(self.directory.glob("watch/*.log")):
                print(f"--- {log.name}\n{log.read_text()[-2000:]}", file=sys.stderr)
            print(f"--- Slack\n{json.dumps(self.slack.posts, indent=1)}", file=sys.stderr)
        self.slack.close()
        super().__exit__(kind, error, trace)

    def start_nginx(self):
        self.with_nginx = True
        super().start_nginx()

    def spawn(self, name, *command):
        with open(self.directory / f"watch/{name}.log", "wb") as log:
            self.others.append(subprocess.Popen(list(map(str, command)), stdout=log, stderr=log))
        return self.others[-1]

    def start_watching(self):
        watch = self.directory / "watch"
        shutil.copytree(DEPLOY / "prometheus", watch / "prometheus")
        for file in [watch / "prometheus/prometheus.yml", *(watch / "prometheus/rules").glob("*.yml")]:
            file.write_text(shortened(file.read_text(encoding="utf-8")), encoding="utf-8")
        # The targets of one machine, with the addresses of this stage.
        targets = watch / "prometheus/targets"
        addresses = {"127.0.0.1:8081": self.ports["blue"], "127.0.0.1:8082": self.ports["green"], "127.0.0.1:8090": self.status_port,
                     "127.0.0.1:9113": self.nginx_exporter_port, "127.0.0.1:9100": self.node_port,
                     "127.0.0.1:9093": self.alertmanager_port, "127.0.0.1:9090": self.prometheus_port}
        for file in (targets / "plain").iterdir():
            text = file.read_text(encoding="utf-8")
            for address, port in addresses.items():
                text = text.replace(address, f"{address.split(':')[0]}:{port}")
            (targets / file.name).write_text(text, encoding="utf-8")
        if self.with_tls:
            self.start_tls_colour(watch / "prometheus", targets / "nextloop.yml")
        shutil.copytree(DEPLOY / "alertmanager", watch / "alertmanager")
        configuration = watch / "alertmanager/alertmanager.yml"
        configuration.write_text(shortened(configuration.read_text(encoding="utf-8")).replace("/etc/alertmanager", str(watch / "alertmanager")))
        (watch / "alertmanager/secrets").mkdir()
        for channel in ("critical", "warning"):
            (watch / f"alertmanager/secrets/slack-{channel}").write_text(self.slack.url(channel))

        self.prometheus_url = f"http://127.0.0.1:{self.prometheus_port}"
        self.alertmanager_url = f"http://127.0.0.1:{self.alertmanager_port}"
        self.spawn("node-exporter", "prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.node_port}")
        self.spawn("nginx-exporter", "prometheus-nginx-exporter", "-nginx.scrape-uri", f"http://127.0.0.1:{self.status_port}/stub_status",
                   "-web.listen-address", f"127.0.0.1:{self.nginx_exporter_port}")
        self.spawn("alertmanager", "prometheus-alertmanager", f"--config.file={configuration}", f"--storage.path={watch}/alertmanager-data",
                   f"--web.listen-address=127.0.0.1:{self.alertmanager_port}", f"--web.external-url={self.alertmanager_url}",
                   "--cluster.listen-address=", "--log.level=warn")
        self.spawn("prometheus", "prometheus", f"--config.file={watch}/prometheus/prometheus.yml", f"--storage.tsdb.path={watch}/data",
                   f"--web.listen-address=127.0.0.1:{self.prometheus_port}", f"--web.external-url={self.prometheus_url}", "--log.level=warn")
        wait_for(lambda: self.answers(f"{self.prometheus_url}/-/ready") and self.answers(f"{self.alertmanager_url}/-/ready"),
                 20, "Prometheus and Alertmanager")

    def answers(self, url):
        for process in self.others:
            expect(process.poll() is None, f"{process.args[0]} ended with {process.returncode}")
        try:
            return fetch(url)[0] == 200
        except OSError:
            return False

    def start_tls_colour(self, prometheus, targets):
        """A third server, over TLS, scraped as prometheus.yml says such a colour is."""
        authority, key = prometheus / "colours-ca.pem", prometheus / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90",
                        "-subj", "/CN=nextloop", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", authority],
                       check=True, stderr=subprocess.DEVNULL)
        (port,) = free_ports(1)
        self.spawn("tls-colour", self.binary, "serve", "--registry", self.directory / "models", "--model", "room-service", "--version", 1,
                   "--port", port, "--threads", 1, "--tls-certificate", authority, "--tls-key", key)
        with open(targets, "a", encoding="utf-8") as file:
            file.write(f"- targets: [127.0.0.1:{port}]\n  labels: {{colour: green, __scheme__: https}}\n")
        configuration = prometheus / "prometheus.yml"
        text = configuration.read_text(encoding="utf-8")
        expect("# tls_config:" in text, "prometheus.yml says how a colour with TLS is scraped")
        configuration.write_text(text.replace("# tls_config:", "tls_config:"), encoding="utf-8")

    def start_guests(self, admin_colour):
        self.spawn("guests", sys.executable, pathlib.Path(__file__).parent / "guests.py", self.listen, self.ports[admin_colour], self.users)

    def post(self, url, value):
        status, _, body = fetch(url, headers={"Content-Type": "application/json"}, data=json.dumps(value).encode())
        expect(status == 200, f"{url}: {status} {body}")

    # ---- Prometheus

    def api(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        status, _, body = fetch(f"{self.prometheus_url}/api/v1/{path}{query}", timeout=10)
        answer = json.loads(body)
        if status != 200 or answer["status"] != "success":
            raise Failed(f"{path} {parameters}: {answer.get('error', body[:300])}")
        return answer["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def values(self, expression):
        """What a query finds, without the series that hold no number."""
        return [float(one["value"][1]) for one in self.query(expression) if one["value"][1] != "NaN"]

    def number(self, expression):
        """The value of a query with one result; None without any."""
        result = self.query(expression)
        expect(len(result) <= 1, f"{expression}: {result}")
        return float(result[0]["value"][1]) if result else None

    def wait_for_value(self, expression, value, seconds=30):
        wait_for(lambda: self.number(expression) == value, seconds, f"{expression} = {value}; it is {self.query(expression)}")

    def firing(self):
        return sorted({alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"] if alert["state"] == "firing"})
