"""What compares the database with what people know finds each way in which they can differ."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.trust.desk import Annotator, Ledger, losses
from tests.trust.serving import Site

STANDING = "where id = (select min(id) from annotate_judgement)"
DAMAGE = {
    "lost": [f"delete from annotate_judgement {STANDING}"],
    "stored": [f"update annotate_judgement set first_on_left = not first_on_left {STANDING}"],
    "withdrawn": [f"update annotate_judgement set withdrawn_at = '2026-01-01' {STANDING}"],
    "nobody gave it": [f"update annotate_judgement set lease = '{uuid4().hex}' {STANDING}"],
    "its comparison is open": ["update annotate_comparison set labelled_at = null"],
    "stored as": [
        "update annotate_judgement set annotator_id ="
        " (select max(id) from auth_user where username like 'annotator-%')"
    ],
    ": 3 labels": [
        "drop index one_label_per_comparison",
        "drop index one_answer_per_person",
        "update annotate_judgement set comparison_id ="
        " (select min(comparison_id) from annotate_judgement)",
    ],
}


@pytest.fixture
def labelled(make_site: Callable[..., Site]) -> tuple[Site, Ledger]:
    site = make_site("sqlite")
    made = site.set_up(people=2, pairs=6, labels_per_pair=1)
    site.start_web(processes=1)
    ledger, name = Ledger(), "annotator-00"
    anna = Annotator(site, name, made["sessions"][name], made["campaign"], ledger)
    anna.open()
    for choice in ("left", "right", "left"):
        assert anna.say(anna.ahead[0], choice) == "stored"
    site.kill_web()
    return site, ledger


def test_every_damage_is_found(labelled: tuple[Site, Ledger]) -> None:
    site, ledger = labelled
    assert losses(site, ledger, labels_per_pair=1) == []
    files = site.folder.glob("pairselect.sqlite3*")
    whole = {path: path.read_bytes() for path in files if not path.name.endswith("-shm")}
    for words, queries in DAMAGE.items():
        assert [site.change(query) for query in queries][-1] > 0, words
        found = losses(site, ledger, labels_per_pair=1)
        assert any(words in one for one in found), (words, found)
        for path in site.folder.glob("pairselect.sqlite3*"):
            path.unlink()
        for path, content in whole.items():
            path.write_bytes(content)
    assert losses(site, ledger, labels_per_pair=1) == []
