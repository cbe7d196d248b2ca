"""What goes along with pages and files: names of files, cookies, keys, cells of tables."""

import csv
import io
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import reverse

from annotate.models import Campaign
from pairselect import env
from pairselect.env import Server
from pairselect.jobs.models import Job
from pairselect.pools.imports.problems import harmless
from pairselect.pools.models import Upload
from tests import permissions
from tests.api.conftest import program
from tests.conftest import People, run_queued_jobs
from tests.permissions import TABLE, House, expected, methods_of
from tests.pools.support import send
from tests.trust.watching import nothing_stays

pytestmark = pytest.mark.page

house = permissions.house
ROOT = Path(__file__).resolve().parent.parent.parent
FILE_NAMES = [
    'a"; filename=evil.html; x="b.csv', "a\r\nX-Evil: 1\r\n\r\n<script>1</script>.csv",
    "../../../etc/passwd", "..\\..\\evil.exe", "a\x00b.csv", "\u202egnp.exe", "a\nb", "ü" * 200,
    "'; DROP TABLE x; --", "%0d%0aX-Evil:1", "=1+1.csv", "CON", ".htaccess", "a;b,c.csv",
]  # fmt: skip


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def storable(name: str) -> str:
    """PostgreSQL takes no NUL, so that none can come from there."""
    return name if connection.vendor == "sqlite" else name.replace("\0", "")


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_files_name_ends_no_header(name: str, admin: Client) -> None:
    """Whatever is stored: the browser is told one header, and saves under a plain name."""
    upload = Upload.objects.create(
        name="u", file_name=storable(name[:255]), sha256="0" * 64, problem_count=1
    )
    upload.problems.save("x.csv", ContentFile(b"row,problem\r\n"))
    response = admin.get(f"/prompts/uploads/{upload.pk}/problems/")
    assert response.status_code == 200
    response.getvalue()
    _is_one_plain_header(response)


@pytest.mark.parametrize("name", FILE_NAMES)
def test_nor_a_campaigns_whose_dataset_it_is(name: str, house: House) -> None:
    Campaign.objects.filter(pk=house.campaign.pk).update(name=storable(name[:100]))
    for address in ("annotate:export", "annotate:export_file"):
        response = house.ask("admin", "GET", address)
        assert response.status_code == 200
        _is_one_plain_header(response)


def _is_one_plain_header(response: HttpResponse) -> None:
    told = response.headers["Content-Disposition"]
    assert told.startswith("attachment")  # never shown as a page of ours
    assert "X-Evil" not in response.headers
    assert not re.search(r"[\r\n\x00]", told)
    assert response.headers["Content-Type"].partition(";")[0] != "text/html"
    quoted = r'filename="(?:[^"\\]|\\.)*"'
    assert re.fullmatch(rf"attachment; (?:{quoted}|filename\*=utf-8''[\w%.~-]+)", told)


@pytest.mark.parametrize("name", FILE_NAMES)
def test_an_upload_by_the_api_has_a_plain_name(name: str, people: People) -> None:
    """Stored as a name and nothing else, or refused in a sentence."""
    caller = program(people.admin)
    client = Client(headers={"authorization": f"Bearer {caller.secret}"})
    response = client.post(
        "/api/v1/uploads", b'{"prompt": "a"}\n', content_type="application/jsonl",
        query_params={"name": "u", "file_name": name},
    )  # fmt: skip
    assert response.status_code in (201, 422)
    if response.status_code == 201:
        stored = Upload.objects.get().file_name
        assert stored.isprintable()
        assert "/" not in stored
        assert len(stored) <= 255
    else:
        assert response.json()["error"]["message"].endswith(".")
        assert Upload.objects.count() == 0


def test_a_file_lies_under_a_name_of_ours(admin: Client) -> None:
    """Nothing of what it was called reaches the disk, and nobody but the server's user reads it."""
    upload = send(admin, b'{"prompt": "a"}\n', file="../../evil.php")
    path = Path(upload.file.path)
    assert path.is_relative_to(settings.MEDIA_ROOT)
    assert "evil" not in path.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0",
            "\uff1d1", "\uff0b1", "\uff0d1", "\uff201", "'=1", " =1"]  # fmt: skip


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_cell_of_a_table_is_a_formula(cell: str) -> None:
    """A spreadsheet takes what begins with these for a formula, blanks before it or not."""
    made = harmless(cell)
    assert made.lstrip()[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
    assert made.endswith(cell)


def test_the_table_of_bad_rows_holds_none(admin: Client) -> None:
    """By way of a file whose very texts, columns and identifiers are formulas."""
    rows = "".join(f'{{"prompt": 3, "id": "{one}"}}\n' for one in ("=1+1", "@x", "+1", "-2+3"))
    upload = send(admin, b'{"prompt": "good", "id": "a"}\n' + rows.encode())
    admin.post(f"/prompts/uploads/{upload.pk}/",
               {"name": "n", "kind": "prompts", "prompts-prompt": "prompt"})  # fmt: skip
    run_queued_jobs()
    response = admin.get(f"/prompts/uploads/{upload.pk}/problems/")
    text = response.getvalue().decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert len(cells) > 2
    assert not [one for one in cells if one[:1] in tuple("=+-@\t\r")]


def test_cookies_are_kept_from_scripts_and_from_other_sites(people: People) -> None:
    client = Client()
    client.get("/login/")
    sent = {"username": "anna", "password": "secret-enough"}
    client.post("/login/", sent)
    client.post("/language/", {"language": "de"})
    assert {"sessionid", "csrftoken", "django_language"} <= set(client.cookies)
    for name in client.cookies:
        cookie = client.cookies[name]
        assert cookie["httponly"], name
        assert cookie["samesite"] in ("Lax", "Strict"), name
        assert not cookie["domain"], name


def test_by_https_every_cookie_is_sent_by_it_alone(tmp_path: Path) -> None:
    code = (
        "from django.conf import settings as s\n"
        "print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.LANGUAGE_COOKIE_SECURE,"
        " s.SECURE_SSL_REDIRECT, s.SECURE_HSTS_SECONDS > 31_000_000)"
    )
    environment = {
        "DJANGO_SETTINGS_MODULE": "pairselect.settings", "PAIRSELECT_DATA_DIR": str(tmp_path),
        "PAIRSELECT_HTTPS": "true", "PAIRSELECT_ALLOWED_HOSTS": "label.example.org", "PATH": "",
    }  # fmt: skip
    asked = [sys.executable, "-c", code]
    done = subprocess.run(
        asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"] * 5


def test_the_secret_key_is_made_at_install_for_its_owner_alone(tmp_path: Path) -> None:
    key = env.secret_key("PAIRSELECT_NONE", tmp_path)
    assert len(key) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    other = tmp_path / "other"
    other.mkdir()
    assert env.secret_key("PAIRSELECT_NONE", other) != key
    assert env.secret_key("PAIRSELECT_NONE", tmp_path) == key


SECRETS = re.compile(
    r"SECRET_KEY\s*=\s*['\"]\w|django-insecure|-----BEGIN [A-Z ]*PRIVATE KEY|sk-[A-Za-z0-9]{20,}"
    r"|\bpair_[A-Za-z0-9_-]{43}\b|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|hf_[A-Za-z0-9]{34}"
)


TEXTS = {".py", ".toml", ".yaml", ".yml", ".md", ".html", ".js", ".txt", ".example", ".conf", ""}


def tracked() -> Iterator[Path]:
    """The files that are handed on: of a checkout, or of an unpacked archive."""
    for path in ROOT.rglob("*"):
        parts = set(path.relative_to(ROOT).parts)
        if parts & {".git", ".venv", "data", "node_modules", "__pycache__", "build"}:
            continue
        if path.is_file() and path.suffix in TEXTS:
            yield path


def test_no_secret_is_handed_on() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path != Path(__file__) and SECRETS.search(path.read_text(errors="replace"))
    ]
    assert found == []
    assert not (ROOT / "secret_key").exists()


def test_keys_and_hashes_are_on_no_page(house: House) -> None:
    """Not a model server's key, nor this server's, nor a password's hash, nor a token's digest."""
    secret = "sk-the-operators-own-key-that-nobody-sees"
    person = house.users["admin"]
    job = Job.objects.get()
    Job.objects.filter(pk=job.pk).update(error="The server at 127.0.0.1:9 refuses the key (401).")
    hidden = [secret, settings.SECRET_KEY, person.password, "sha256$", "pbkdf2_", "md5$"]
    servers = {"lab": Server("http://127.0.0.1:9/v1", secret)}
    with override_settings(PAIRSELECT_SERVERS=servers, PAIRSELECT_MODELS=("lab:m",)):
        for column in ("annotator", "admin", "operator"):
            for name in TABLE:
                if "GET" not in methods_of(name) or expected(name, column, "GET") != "in":
                    continue
                with nothing_stays():
                    response = house.ask(column, "GET", name)
                text = b"" if response.streaming else response.content
                assert not [one for one in hidden if one.encode() in text], name
        caller = program(person)
        for path in ("me", "pools", "jobs", "campaigns", "designs", "openapi.json", "history"):
            text = caller.ask("GET", path).content.decode()
            assert not [one for one in hidden if one in text], path
    assert secret not in repr(servers)


def test_where_one_is_led_after_the_login_is_here(people: People) -> None:
    sent = {"username": "anna", "password": "secret-enough"}
    for next_page in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1",
                      "https:evil.example", "\x00//evil.example"):  # fmt: skip
        response = Client().post("/login/", sent | {"next": next_page})
        assert response.status_code == 302
        assert response.headers["Location"] == reverse("home")
        changed = Client().post("/language/", {"language": "de", "next": next_page})
        assert changed.headers["Location"] == "/"
        client = people.client(people.admin)
        job = Job.objects.create(kind="import_prompts", subject_id=1, status="failed")
        back = client.post(f"/jobs/{job.pk}/cancel/", {"next": next_page})
        assert back.headers["Location"] == "/"


@pytest.mark.parametrize("name", ["0", "login", "pools:pools", "next/", ".", ""])
def test_where_one_is_led_after_a_job_is_a_path_and_no_name(people: People, name: str) -> None:
    """Django's `redirect` takes names of views too, and fails on one that there is not."""
    job = Job.objects.create(kind="import_prompts", subject_id=1, status="failed")
    back = people.client(people.admin).post(f"/jobs/{job.pk}/cancel/", {"next": name})
    assert back.headers["Location"] == "/"


def test_a_lost_login_of_a_part_leads_to_a_page_of_ours() -> None:
    """htmx says in a header where the page was; nobody is sent elsewhere by it."""
    for page in ("https://evil.example/x", "http://testserver//evil.example/", "javascript:1"):
        headers = {"hx-request": "true", "hx-current-url": page}
        response = Client().get("/", headers=headers)
        led = response.headers.get("HX-Redirect", response.headers.get("Location", ""))
        assert led.startswith("/login/")
        assert "next=http" not in led
