"""Pages sent anything, by whoever may send it: a page, or what is wrong; never a 500."""

import uuid
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from annotate.leasing import next_comparison
from tests import permissions
from tests.annotate.hostile import HOSTILE
from tests.permissions import SENT, TABLE, House, expected, methods_of
from tests.trust.fuzzing import PATIENTLY, tried
from tests.trust.watching import nothing_stays

house = permissions.house
pytestmark = PATIENTLY
# By the names that the pages' forms have, and a few that none has.
FIELDS = [
    "name", "choice", "token", "replaces", "reason", "skip_reason", "edit", "edit_of", "guideline",
    "seconds", "active_seconds", "have", "judgement", "kind", "note", "on", "role", "language",
    "next", "seen", "username", "password", "email", "prompt_set", "model", "temperature",
    "system_prompt", "completions", "max_new_tokens", "top_p", "seed", "rubric", "pool", "budget",
    "money", "price",
    "hours", "priced_by", "currency", "strategy", "method", "max_per_prompt", "random_share",
    "keep", "agreement", "target", "ridge", "prior_sd", "dimension", "feature_kind", "scores",
    "predict", "design", "annotators", "adjudicate", "adjudicators", "guidelines",
    "labels_per_pair", "strengths", "ties", "criteria", "repeat_share", "gold_share",
    "passing_mark", "mix_window",
    "pause_minutes", "prompt", "better", "worse", "explanation", "use", "pairs", "labelled_only",
    "machine", "instructions", "format", "file_type", "one_row", "min_agreement", "test_share",
    "extras", "preview", "together", "theme", "key_left", "key_tie", "key_nothing", "usual_keys",
    "scopes", "user", "lasts", "file", "page", "plan", "archived", "merge_duplicates",
    "prompts-prompt", "old_password", "new_password1", "new_password2", "__proto__", "pk", "id",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "2", "left", "right:3", "tie", "skip", "other", "trl",
                     "read", "admin", "annotator", "on", "any", "label", "samples", "trace", "NaN",
                     "inf", "-inf", "1e400", "1e-400", "9" * 19, "9" * 400, "0x10", "１", "٣",
                     "1,5", "\x00", "\ud83d", "\u202e", "a" * 300, "---\n" * 30, "[]", "{}", "null",
                     "' OR 1=1 --", "../..", "{{7*7}}", "%s%n", "//evil.example", "<", "&"]),
    st.sampled_from([text[:3000] for text in HOSTILE.values()]),
    st.text(max_size=40),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(str),
    st.uuids().map(str),
)  # fmt: skip
forms = st.dictionaries(st.sampled_from(FIELDS), st.lists(VALUES, min_size=1, max_size=3))


def storable(value: str) -> str:
    """As a browser sends it: in UTF-8, which has no halves of characters."""
    return value.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("column", ["admin", "annotator", "nobody"])
def test_any_form_is_answered(column: str, house: House) -> None:
    places = [
        (method, name)
        for name in sorted(TABLE)
        for method in ("GET", "POST")
        if method in methods_of(name) and expected(name, column, method) == "in"
        and name != "pools:prompt_set_upload_discard"  # whose file no transaction brings back
    ]  # fmt: skip
    held = None
    if column == "annotator":
        held = next_comparison(house.campaign, house.users["annotator"])

    @tried(0.34)
    @given(place=st.sampled_from(places), sent=forms, whole=st.booleans())
    def send(place: tuple[str, str], sent: dict[str, list[str]], whole: bool) -> None:
        method, name = place
        query = QueryDict(mutable=True)
        for field, values in ((SENT | {"token": str(uuid.uuid4())}) if whole else {}).items():
            query[field] = values
        if held is not None and whole:
            query["token"] = str(held.lease)
        for field, values in sent.items():
            query.setlist(field, [storable(one) for one in values])
        client: Any = house.client(column)
        client.raise_request_exception = False
        text, kind = query.urlencode(), "application/x-www-form-urlencoded"
        address = house.addresses[name]
        with nothing_stays():
            if method == "GET":
                response = client.get(f"{address}?{text}")
            else:
                response = client.post(address, text, content_type=kind)
            if response.streaming:
                response.getvalue()
        assert response.status_code < 500, (method, address, text)

    send()
