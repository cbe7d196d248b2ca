"""Files sent and confirmed as an admin does it by pages."""

import json
from collections.abc import Iterable
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from pairselect.jobs.progress import JobStopped
from pairselect.pools.models import Upload
from tests.conftest import NoProgress, run_queued_jobs

GOOD = b'{"prompt": "one"}\n{"prompt": "two"}\n'
BAD = b'{"prompt": "one"}\n{"prompt": ""}\n'
PROMPTS = {"kind": "prompts", "prompts-prompt": "prompt"}
POOL = {"kind": "pool", "pool-prompt": "prompt", "pool-completions": "completions"}


class Progress(NoProgress):
    """A job's progress that stops the work when it says a certain thing, or never."""

    was_lost = False

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at, self.said = stop_at, list[tuple[int, int, str]]()

    def report(self, done: int, total: int, message: str = "") -> None:
        self.said.append((done, total, message))
        if self.stop_at and self.stop_at in message:
            raise JobStopped


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def import_file(command: str, path: Path, content: bytes, *options: str) -> None:
    call_command(command, write(path, content), *options)


def send(client: Client, content: bytes, *, name: str = "mine", file: str = "p.jsonl") -> Upload:
    """Upload a file, and have a worker look at it."""
    data = {"name": name, "file": SimpleUploadedFile(file, content)}
    response = client.post("/prompts/uploads/new/", data)
    assert response.status_code == 302, response.content.decode()
    run_queued_jobs()
    return Upload.objects.get(pk=int(response.headers["Location"].split("/")[-2]))


def confirm(client: Client, upload: Upload, fields: dict[str, str], *, name: str = "mine") -> str:
    """Confirm the mapping. Returns the address of the page that follows."""
    response = client.post(address(upload), {"name": name} | fields)
    assert response.status_code == 302, response.content.decode()
    return response.headers["Location"]


def address(upload: Upload, *parts: str) -> str:
    return "/".join(["/prompts/uploads", str(upload.pk), *parts, ""])


def texts(rows: Iterable[object]) -> list[str]:
    return [str(row) for row in rows]
