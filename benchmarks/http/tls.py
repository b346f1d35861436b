#!/usr/bin/env python3
"""nextloop with TLS beside nginx with TLS: one core each, the same certificate, protocol, cipher and bytes.

usage: tls.py [--nextloop .build/release/nextloop] [--registry models] [--seconds 3] [--runs 5] [--idle 2000]

Prints for each of a kept-alive load (wrk, 32 connections), a load of new connections (full handshakes) and one of resumed
sessions: the medians over runs that take turns, and the ratio. Then the resident memory of an idle connection. The load
comes from the other cores; on a busy machine only the ratios mean something.

Needs nginx, wrk, openssl and two cores. nginx answers with `return 200` and the same number of bytes.
"""

import argparse
import os
import re
import signal
import socket
import ssl
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--nextloop", default=".build/release/nextloop")
parser.add_argument("--registry", default="models")
parser.add_argument("--model", default="room-service")
parser.add_argument("--seconds", type=int, default=3)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--idle", type=int, default=2000)
options = parser.parse_args()

CIPHER = {"tls1_2": "ECDHE-ECDSA-AES128-GCM-SHA256", "tls1_3": "TLS_AES_128_GCM_SHA256"}
NGINX = """
daemon off;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {work}; proxy_temp_path {work}; fastcgi_temp_path {work};
    uwsgi_temp_path {work}; scgi_temp_path {work};
    server {{
        listen 127.0.0.1:{port} ssl reuseport backlog=1024;
        ssl_certificate {work}/cert.pem;
        ssl_certificate_key {work}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {tls1_2};
        ssl_conf_command Ciphersuites {tls1_3};
        ssl_prefer_server_ciphers on;
        ssl_session_tickets on;
        default_type application/json;
        location / {{ return 200 '{{"status":"alive"}}'; add_header X-Request-ID 01M811Q10SPF6AKM7TR0RHEYMM; }}
    }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def server_pid(process, port):
    """The process that answers: nginx's worker, or the process itself."""
    children = f"/proc/{process.pid}/task/{process.pid}/children"
    with open(children) as file:
        found = file.read().split()
    return int(found[0]) if found else process.pid


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def load_kept_alive(port, pid):
    """Requests a second, CPU microseconds of the server for one."""
    before = cpu_seconds(pid)
    text = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{options.seconds}s", f"https://127.0.0.1:{port}/livez"],
        capture_output=True, text=True, check=True).stdout
    count = int(re.search(r"(\d+) requests in", text).group(1))
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1))
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(text)
    return rate, (cpu_seconds(pid) - before) / count * 1e6


def load_handshakes(port, pid, version, reuses):
    before = cpu_seconds(pid)
    text = subprocess.run(
        ["taskset", "-c", "1", "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-www", "/livez", "-time",
         str(options.seconds), f"-{version}", "-reuse" if reuses else "-new"],
        capture_output=True, text=True).stdout
    count, rate = re.search(r"(\d+) connections in [\d.]+s; ([\d.]+) connections/user sec", text).groups()
    return float(rate), (cpu_seconds(pid) - before) / int(count) * 1e6


def measure_idle(port, pid):
    """Bytes of memory for a connection that has had one answer and waits."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    held = []

    def open_some(count):
        for _ in range(count):
            tls = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
            tls.sendall(request)
            tls.recv(4096)
            held.append(tls)

    open_some(200)
    before = resident_kib(pid)
    open_some(options.idle)
    return (resident_kib(pid) - before) * 1024 / options.idle


def print_row(name, ours, theirs):
    rate, cost = (statistics.median(run[i] for run in ours) for i in (0, 1))
    peer_rate, peer_cost = (statistics.median(run[i] for run in theirs) for i in (0, 1))
    print(f"| {name} | {rate:,.0f} | {peer_rate:,.0f} | {rate / peer_rate:.2f} × | {cost:.1f} | {peer_cost:.1f} "
          f"| {peer_cost / cost:.2f} × |")


with tempfile.TemporaryDirectory() as work:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", f"{work}/key.pem", "-out", f"{work}/cert.pem"],
        check=True, capture_output=True)
    os.chmod(f"{work}/key.pem", 0o600)
    ports = {"nextloop": free_port(), "nginx": free_port()}
    with open(f"{work}/nginx.conf", "w") as file:
        file.write(NGINX.format(work=work, port=ports["nginx"], **CIPHER))
    pinned = ["taskset", "-c", "0"]
    processes = [
        subprocess.Popen(
            pinned + [options.nextloop, "serve", "--registry", options.registry, "--model", options.model, "--threads",
                      "1", "--port", str(ports["nextloop"]), "--tls-certificate", f"{work}/cert.pem", "--tls-key",
                      f"{work}/key.pem", "--tls-ciphers", ":".join(CIPHER.values()), "--drain-seconds", "0"],
            stderr=subprocess.DEVNULL),
        subprocess.Popen(
            pinned + ["nginx", "-p", work, "-c", f"{work}/nginx.conf"], stderr=subprocess.DEVNULL),
    ]
    try:
        for port in ports.values():
            wait_for(port)
        time.sleep(1)
        servers = [(ports[name], server_pid(process, ports[name])) for name, process in zip(ports, processes)]
        print("| load | nextloop /s | nginx /s | ratio | nextloop CPU µs | nginx CPU µs | ratio |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        loads = {"requests, kept alive": load_kept_alive}
        for version, name in (("tls1_2", "TLS 1.2"), ("tls1_3", "TLS 1.3")):
            loads[f"connections, full handshake, {name}"] = (
                lambda port, pid, version=version: load_handshakes(port, pid, version, False))
        loads["connections, resumed, TLS 1.2"] = lambda port, pid: load_handshakes(port, pid, "tls1_2", True)
        for name, run in loads.items():
            results = ([], [])
            for _ in range(options.runs):
                for result, (port, pid) in zip(results, servers):
                    result.append(run(port, pid))
            print_row(name, *results)
        idle = [measure_idle(port, pid) for port, pid in servers]
        print(f"\nAn idle connection, answered once, TLS 1.3: nextloop {idle[0]:,.0f} bytes resident, nginx {idle[1]:,.0f}.")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
