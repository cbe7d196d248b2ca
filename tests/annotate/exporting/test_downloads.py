"""Downloads that resume, of single files and of an archive that is never written."""

import hashlib
import io
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from django.http import HttpResponseBase
from django.test import Client

from annotate.exporting.archive import Archive, Member
from annotate.exporting.job import export_folder, single_file
from annotate.models import Campaign, Export
from tests.annotate.exported import export
from tests.conftest import People, give, make_campaign


@pytest.fixture
def made(people: People) -> Export:
    campaign = make_campaign(people.anna, prompts=6, name="Über “alles”/../x")
    for choice in ("left", "right", "left", "tie", "left", "both_bad"):
        give(campaign, people.anna, choice)
    return export(campaign)


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def body(response: HttpResponseBase) -> bytes:
    return b"".join(response)  # type: ignore[call-overload, no-any-return]


def test_a_file_comes_whole_under_a_safe_name(admin: Client, made: Export) -> None:
    response = admin.get(f"/exports/{made.pk}/files/train.jsonl/")
    content = (export_folder(made) / "train.jsonl").read_bytes()
    assert (response.status_code, body(response)) == (200, content)
    assert response["Content-Length"] == str(len(content))
    assert response["ETag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert response["Accept-Ranges"] == "bytes"
    name = f"uber-allesx-trl-{made.pk}-train.jsonl"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


@pytest.mark.parametrize("address", ["files/train.jsonl/", ""])
@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("Bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=7-", 7, None),
        ("bytes=-4", -4, None),
        ("bytes=3-99999999999", 3, None),
        ("bytes=-99999999999", 0, None),
    ],
)
def test_a_range_is_that_part(
    admin: Client, made: Export, address: str, wanted: str, start: int, end: int | None
) -> None:
    whole = body(admin.get(f"/exports/{made.pk}/{address}"))
    response = admin.get(f"/exports/{made.pk}/{address}", headers={"range": wanted})
    expected = whole[start:end]
    assert (response.status_code, body(response)) == (206, expected)
    first = start % len(whole)
    said = f"bytes {first}-{first + len(expected) - 1}/{len(whole)}"
    assert response["Content-Range"] == said
    assert response["Content-Length"] == str(len(expected))


@pytest.mark.parametrize(
    "wanted",
    ["bytes=9-5", "bytes=0-1,4-5", "lines=1-2", "bytes=x-", "bytes=-", f"bytes={'9' * 5000}-"],
)
def test_a_range_that_cannot_be_read_is_answered_with_all(
    admin: Client, made: Export, wanted: str
) -> None:
    response = admin.get(f"/exports/{made.pk}/files/train.jsonl/", headers={"range": wanted})
    assert response.status_code == 200
    assert body(response) == (export_folder(made) / "train.jsonl").read_bytes()


def test_a_range_after_the_end_is_refused(admin: Client, made: Export) -> None:
    size = made.files[0]["bytes"]
    for wanted in (f"bytes={size}-", "bytes=-0"):
        response = admin.get(f"/exports/{made.pk}/files/train.jsonl/", headers={"range": wanted})
        assert response.status_code == 416
        assert response["Content-Range"] == f"bytes */{size}"


def test_a_range_of_another_version_is_answered_with_all(admin: Client, made: Export) -> None:
    address = f"/exports/{made.pk}/files/train.jsonl/"
    etag = f'"{made.files[0]["sha256"]}"'
    same = admin.get(address, headers={"range": "bytes=1-2", "if-range": etag})
    other = admin.get(address, headers={"range": "bytes=1-2", "if-range": '"else"'})
    weak = admin.get(address, headers={"range": "bytes=1-2", "if-range": f"W/{etag}"})
    assert (same.status_code, other.status_code, weak.status_code) == (206, 200, 200)
    assert len(body(same)) == 2
    assert len(body(other)) == len(body(weak)) == made.files[0]["bytes"]


@pytest.mark.parametrize(
    "name", ["..", "../../pairselect.sqlite3", "%2e%2e%2fsecret", "train.jsonl.part", "report.jsox"]
)
def test_no_other_file_is_reached(admin: Client, made: Export, name: str) -> None:
    assert admin.get(f"/exports/{made.pk}/files/{name}/").status_code == 404


def test_all_comes_as_one_archive(admin: Client, made: Export, tmp_path: Path) -> None:
    response = admin.get(f"/exports/{made.pk}/")
    content = body(response)
    assert response["Content-Length"] == str(len(content))
    assert response["Content-Disposition"] == (
        f'attachment; filename="uber-allesx-trl-{made.pk}.zip"'
    )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        top = f"uber-allesx-trl-{made.pk}"
        assert archive.namelist() == [f"{top}/{one['name']}" for one in made.files]
        archive.extractall(tmp_path)
    for one in made.files:
        there = (tmp_path / top / one["name"]).read_bytes()
        assert there == (export_folder(made) / one["name"]).read_bytes()
    assert content == body(admin.get(f"/exports/{made.pk}/"))  # or it could not be resumed


def test_a_renamed_campaigns_archive_is_another_version(admin: Client, made: Export) -> None:
    """Its folder is named after the campaign: the rest of one archive does not fit the other."""
    before = admin.get(f"/exports/{made.pk}/")
    content = body(before)
    Campaign.objects.filter(pk=made.campaign_id).update(name="A longer name than before")
    headers = {"range": "bytes=100-", "if-range": before["ETag"]}
    after = admin.get(f"/exports/{made.pk}/", headers=headers)
    assert after.status_code == 200
    assert body(after) != content


def test_an_archive_beyond_4_gib_is_one(tmp_path: Path) -> None:
    """Of a file with a hole in it, which takes no room."""
    size = 5 << 30
    large, small = tmp_path / "large", tmp_path / "small"
    with large.open("wb") as file:
        file.truncate(size)
    small.write_bytes(b"small")
    archive = Archive(
        [
            Member(large, "f/large", size, 0),
            Member(small, "f/small", 5, zlib.crc32(b"small")),
        ]
    )
    with zipfile.ZipFile(io.BufferedReader(archive)) as found:  # type: ignore[arg-type]
        assert [one.file_size for one in found.infolist()] == [size, 5]
        assert found.read("f/small") == b"small"


def test_an_archive_whose_file_was_cut_off_is_no_archive(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(b"123")
    with pytest.raises(OSError, match="cut is shorter than it was"):
        io.BufferedReader(Archive([Member(cut, "cut", 5, 0)])).read()  # type: ignore[arg-type]


def test_an_export_of_earlier_times_is_its_one_file(admin: Client, campaign: Campaign) -> None:
    from django.utils import timezone

    old = Export.objects.create(
        campaign=campaign, format="trl", row_count=1, sha256="0" * 64, completed_at=timezone.now()
    )
    single_file(old).parent.mkdir(parents=True, exist_ok=True)
    single_file(old).write_bytes(b'{"a": 1}\n')
    response = admin.get(f"/exports/{old.pk}/")
    assert (response.status_code, body(response)) == (200, b'{"a": 1}\n')
    assert response["Content-Disposition"] == f'attachment; filename="campaign-trl-{old.pk}.jsonl"'
    part = admin.get(f"/exports/{old.pk}/", headers={"range": "bytes=5-"})
    assert (part.status_code, body(part)) == (206, b" 1}\n")
    assert admin.get(f"/exports/{old.pk}/report/").status_code == 404
    assert admin.get(f"/exports/{old.pk}/files/train.jsonl/").status_code == 404
    page = admin.get(f"/campaigns/{campaign.pk}/exports/").content.decode()
    assert f'href="/exports/{old.pk}/" download' in page


@pytest.mark.django_db(transaction=True)
def test_curl_goes_on_where_it_broke_off(
    live_server: object, people: People, tmp_path: Path
) -> None:
    campaign = make_campaign(people.anna, prompts=3)
    give(campaign, people.anna, "left")
    made = export(campaign)
    cookie = people.client(people.admin).cookies["sessionid"].value
    for name, address in (("zip", ""), ("jsonl", "files/train.jsonl/")):
        url = f"{live_server.url}/exports/{made.pk}/{address}"  # type: ignore[attr-defined]
        out = tmp_path / name
        command = ["curl", "-fsS", "-b", f"sessionid={cookie}", "-o", str(out), url]
        subprocess.run(command, check=True)
        whole = out.read_bytes()
        out.write_bytes(whole[:100])
        subprocess.run([*command, "-C", "-"], check=True)
        assert out.read_bytes() == whole
        assert len(whole) > 1000
