"""The servers that are measured, each in processes and a folder of its own, on loopback."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.free_port import free_port
from benchmarks.receiver.apps import THREADS
from benchmarks.receiver.wrk import WRITE_KEY
from landed.settings import ROOT
from receiver.senders.sources import Source, write_sources

WORKERS = 2
_APPS = "benchmarks.receiver.apps"
_START_SECONDS = 60
_STOP_SECONDS = 30
_LOOK_SECONDS = 0.5
_IDLE = 0.05
_NO_QUOTA = {"source_events_per_second": 10**9}

Command = Callable[[Path, int], Sequence[str]]
"""Makes the command of a server, from its folder and its port."""

_NGINX = """
worker_processes {workers}; daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
  log_format body escape=none '$request_body';
  client_body_in_single_buffer on; client_body_buffer_size 1m;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
  uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
  keepalive_requests 1000000000; default_type application/json;
  # nginx reads a body only to pass it on: to itself, which answers without having got it.
  upstream itself {{ server unix:{folder}/socket; keepalive 64; }}
  server {{ listen unix:{folder}/socket; access_log off; return 200 '{{"success": true}}'; }}
  server {{
    listen 127.0.0.1:{port}; access_log {folder}/bodies.log body;
    location / {{
      proxy_pass http://itself; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_pass_request_body off; proxy_set_header Content-Length "";
    }}
  }}
}}
"""


def receiver(_folder: Path, _port: int) -> Sequence[str]:
    """Return the command of the receiver as it is."""
    return (sys.executable, "-m", "receiver")


def gunicorn(application: str, worker: str) -> Command:
    """Return what makes the command of gunicorn with the receiver's settings."""
    return lambda _folder, _port: (sys.executable, "-m", _APPS, application, worker)


def granian(application: str) -> Command:
    """Return what makes the command of granian, with as many workers."""
    target = {"bare": f"{_APPS}:create_bare", "receiver": "receiver:create_app"}[application]
    options = ["--interface", "wsgi", "--factory", "--workers", str(WORKERS), "--host", "127.0.0.1"]
    options += ["--blocking-threads", str(THREADS), "--no-ws", "--log-level", "error"]
    program = str(Path(sys.executable).with_name("granian"))
    return lambda _folder, port: (program, *options, "--port", str(port), target)


def nginx(folder: Path, port: int) -> Sequence[str]:
    """Return the command of nginx writing bodies to its access log, and its configuration."""
    # Its workers become nobody when root starts it, and could not reach the folder.
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port, workers=WORKERS, user=user))
    return (shutil.which("nginx") or "nginx", "-p", str(folder), "-c", str(configuration))


class Running:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
        """Take it over."""
        self._process = process
        self._folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def wait(self) -> None:
        """Return when all its processes have started: it answers, and they have nothing to do.

        Raises:
            RuntimeError: it does not start; with what it said.
        """
        deadline = time.monotonic() + _START_SECONDS
        busy = True
        while time.monotonic() < deadline and self._process.poll() is None:
            if not busy and self._answers():
                return
            before = self.cpu_seconds()
            time.sleep(_LOOK_SECONDS)
            busy = self.cpu_seconds() - before > _IDLE * _LOOK_SECONDS
        raise RuntimeError((self._folder / "output").read_text(errors="replace"))

    def _answers(self) -> bool:
        with socket.socket() as probing:
            probing.settimeout(_LOOK_SECONDS)
            try:
                probing.connect(("127.0.0.1", self.port))
                probing.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return bool(probing.recv(1))
            except OSError:  # not yet
                return False

    def stop(self) -> None:
        """Stop it and everything it started."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def cpu_seconds(self) -> float:
        """Return the processor time its processes have taken, theirs and the kernel's for them."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(one.user + one.system for one in times)

    def resident_bytes(self) -> int:
        """Return the memory its processes hold."""
        return sum(process.memory_info().rss for process in self._processes())

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def running(command: Command, folder: Path, **settings: object) -> Iterator[Running]:
    """Run a server in a new folder, which is removed at the end: what is landed adds up."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_sources(folder / "sources.toml", [Source("bench", server_keys=(WRITE_KEY,))])
    port = free_port()
    places = {"landing": folder / "landing", "sources": folder / "sources.toml"}
    settings = (
        {"port": port, "workers": WORKERS, "reserve_bytes": 0} | _NO_QUOTA | places | settings
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEAMLINE_")}
    environment |= {f"SEAMLINE_{name.upper()}": str(value) for name, value in settings.items()}
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            command(folder, port),
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Running(process, folder, port)
    try:
        server.wait()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
