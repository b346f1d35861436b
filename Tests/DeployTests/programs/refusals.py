"""What nginx refuses by itself, request by request, and what nginx/render does not render."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile

from stage import REPOSITORY, Stage, expect, free_ports, scenario


def answer(stage, request):
    """Status, headers (names in small letters) and body of what comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", stage.listen), timeout=10) as client:
        client.sendall(request)
        data = b""
        while chunk := client.recv(65536):
            data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    return int(lines[0].split()[1]), [tuple(re.split(": *", line.lower(), maxsplit=1)) for line in lines[1:]], body


def request(line, *headers, host="hotel.example"):
    fields = [f"Host: {host}"] if host else []
    return "\r\n".join([line, *fields, "X-Request-ID: mine-7", "Connection: close", *headers, "", ""]).encode("latin-1")


@scenario
def refused_by_nginx(binary):
    """Every refusal is the service's problem+json, with the status that was sent, one request id, and a word of what was wrong."""
    with Stage(binary, LOAD_REQUESTS=0, WATCH_SECONDS=0) as stage:
        cases = [
            (request("GET /livez HTTP/1.1", host=""), 400, True),
            (request("GET /livez HTTP/1.1", host="a b"), 400, False),
            (request("GET /users/%zz HTTP/1.1"), 400, False),
            (request("GET /../../x HTTP/1.1"), 400, False),
            (request("nonsense"), 400, False),
            (request("POST /recommend HTTP/1.1", "Content-Length: x"), 400, True),
            (request("GET /metrics HTTP/1.1"), 404, True),
            (request("GET /nextloop-problem HTTP/1.1"), 404, True),
            (request("TRACE /recommend HTTP/1.1"), 405, True),
            (request("CONNECT /x HTTP/1.1"), 405, True),
            (request("POST /recommend HTTP/1.1", "Content-Length: 1048577"), 413, True),
            (request(f"GET /recommend?deny={'1,' * 10_000} HTTP/1.1"), 414, False),
            (request("GET /livez HTTP/1.1", f"Cookie: {'a' * 20_000}"), 431, True),
            (request("POST /recommend HTTP/1.1", "Transfer-Encoding: gzip, chunked"), 501, True),
            (request("GET /recommend?user_id=1 HTTP/1.1"), 502, True),  # No colour runs yet.
            (request("GET /livez HTTP/2.0"), 505, False),
        ]
        for sent, wanted, has_id in cases:
            status, headers, body = answer(stage, sent)
            what = f"{sent[:60]}: {status} {headers} {body[:300]}"
            expect(status == wanted, what)
            fields = dict(headers)
            problem = json.loads(body)
            expect(fields["content-type"] == "application/problem+json" and problem["status"] == status, what)
            expect(list(problem) == ["type", "title", "status", "detail", "request_id"] and problem["title"] and problem["detail"], what)
            ids = [value for name, value in headers if name == "x-request-id"]
            expect(ids == [problem["request_id"]] and (ids == ["mine-7"] if has_id else re.fullmatch("[0-9a-f]{32}", ids[0])), what)
            expect(fields.get("allow") == ("get, head, post" if status == 405 else None) and "retry-after" not in fields, what)
        log = [json.loads(line) for line in (stage.directory / "nginx/access.log").read_text().splitlines()]
        expect([line["status"] for line in log if line["route"] == "/recommend"] == [405, 413, 501, 502], f"{log}")
        # As much as the service takes goes through, and what is too much for it is told by it.
        stage.tool("deploy", "--version", 1)
        for line, header, wanted in ((8192, 10, 200), (8193, 10, 414), (100, 15_900, 200), (100, 16_900, 431)):
            target = "GET /recommend?user_id=1&deny= HTTP/1.1"
            sent = request(target.replace("deny=", "deny=" + "1" * (line - len(target))), f"Cookie: {'a' * header}")
            status, headers, body = answer(stage, sent)
            # An item's id has at most 256 bytes, which is what the service says of a line that it has read.
            wanted = 400 if wanted == 200 and line > 1000 else wanted
            expect(status == wanted, f"line {line}, header {header}: {status} {body[:300]}")
            expect(len([name for name, _ in headers if name == "x-request-id"]) == 1, f"{headers}")


@scenario
def render_refuses(_binary):
    """What cannot be rendered is named before anything is made; what can be is a configuration that nginx takes."""
    with tempfile.TemporaryDirectory(prefix="nextloop render ") as directory:
        directory, ports = pathlib.Path(directory), free_ports(2)

        def render(wanted, text, *arguments, **values):
            given = {"ROUTING": "routing", "ACCESS_LOG": directory / "access.log", "LISTEN": f"127.0.0.1:{ports[0]}", "STATUS_LISTEN": f"127.0.0.1:{ports[1]}", **values}
            environment = {"PATH": "/usr/sbin:/usr/bin:/bin", **{f"NEXTLOOP_NGINX_{name}": str(value) for name, value in given.items()}}
            done = subprocess.run([REPOSITORY / "nginx/render", *arguments], env=environment, cwd=directory, capture_output=True, text=True, timeout=30, check=False)
            expect(done.returncode == wanted and text in done.stderr, f"{arguments} {values}: exit {done.returncode}, {done.stderr}")

        render(64, "usage: nginx/render DIRECTORY")
        render(64, "an argument is empty", "")
        render(64, "an argument is empty", "made", "")
        render(66, "cannot read the template none.template", "made", "none.template")
        render(66, "cannot read the template .", "made", ".")
        render(78, "NEXTLOOP_NGINX_ROUTING is empty", "made", ROUTING="")
        for bad in ('a"b', "a$b", "a\\b", "$HOME"):
            render(78, "NEXTLOOP_NGINX_ROUTING is", "made", ROUTING=bad)
            render(78, "NEXTLOOP_NGINX_ROUTING is", f"made {bad}")
            render(78, "NEXTLOOP_NGINX_ACCESS_LOG is", "made", ACCESS_LOG=bad)
        expect(not list(directory.iterdir()), f"{list(directory.iterdir())}")
        for good in ("made", "made/it's {a} #;*[b] é", directory / "made too"):
            render(0, "", good)
            test = subprocess.run(["nginx", "-p", f"{directory / good}/", "-e", "stderr", "-c", "nginx.conf", "-t"], capture_output=True, text=True, timeout=30, check=False)
            expect(test.returncode == 0 and (directory / good / "routing/live-colour.inc").exists(), f"{good}: {test.stderr}")
