"""Gold pairs: added one by one or from a file, all or none; taken out, and never lost."""

import html
import io
import json
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from annotate.answering import NO_DETAILS
from annotate.gold import MOST_BYTES, GoldRefused, add_gold, gold_pair, read_gold, retire_gold
from annotate.models import Campaign, Comparison, Gold, Judgement
from pairselect.pools.reading.rows import BadRow
from tests.conftest import People, give, make_campaign

ROW = {"prompt": "2 + 2?", "better": "4", "worse": "5"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def jsonl(*rows: object) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def upload(client: Client, campaign: Campaign, content: bytes) -> str:
    data = {"file": SimpleUploadedFile("gold.jsonl", content)}
    response = client.post(f"/campaigns/{campaign.pk}/gold/file/", data, follow=True)
    return html.unescape(response.content.decode())


def typed(client: Client, campaign: Campaign, **data: str) -> str:
    sent = {"use": "check", "explanation": ""} | ROW | data
    response = client.post(f"/campaigns/{campaign.pk}/gold/", sent, follow=True)
    return html.unescape(response.content.decode())


def add(campaign: Campaign, *rows: dict[str, object]) -> int:
    return add_gold(campaign, read_gold(jsonl(*rows)))


# Rows


def test_a_row_becomes_a_pair() -> None:
    pair = gold_pair(ROW | {"explanation": "Count.", "use": "onboarding"})
    assert pair.messages == [{"role": "user", "content": "2 + 2?"}]
    assert (pair.better, pair.worse, pair.explanation) == ("4", "5", "Count.")
    assert pair.use == Gold.Use.ONBOARDING


def test_rows_of_the_trainers_format_are_read() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]
    chosen = [{"role": "assistant", "content": "4"}]
    rejected = [{"role": "assistant", "content": "5"}]
    pair = gold_pair({"prompt": messages, "chosen": chosen, "rejected": rejected})
    assert (pair.messages, pair.better, pair.worse) == (messages, "4", "5")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prompt": ""}, "The prompt is empty."),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "does not end with a user's message"),
        ({"better": " \n"}, "“better” is empty"),
        ({"better": " 5 "}, "are the same"),
        ({"worse": 5}, "is not a text"),
        ({"use": "test"}, "“use” is check or onboarding."),
        ({"explanation": 3}, "The explanation is not a text."),
        ({"explanation": "a\x00"}, "NUL"),
        ({"explanation": "x" * 20_001}, "more than 20000 characters"),
        ({"worse": "x\x00"}, "NUL"),
    ],
)
def test_a_row_that_cannot_be_gold_says_why(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadRow, match=sentence):
        gold_pair(ROW | change)


def test_a_row_without_a_text_says_which() -> None:
    with pytest.raises(BadRow, match='There is no "worse" in the row.'):
        gold_pair({"prompt": "2 + 2?", "better": "4"})


def test_all_the_bad_rows_of_a_file_are_named_by_number() -> None:
    content = jsonl(ROW, {"prompt": "x"}, ROW) + b'\n\n{"prompt": \n[1]'
    with pytest.raises(GoldRefused) as refused:
        read_gold(content)
    assert [one.row for one in refused.value.problems] == [2, 5, 6]
    assert refused.value.shown[0].startswith("Row 2: There is no ")


def test_a_file_of_many_bad_rows_shows_the_first_and_counts_the_rest() -> None:
    with pytest.raises(GoldRefused) as refused:
        read_gold(jsonl(*[{"prompt": "x"}] * 25))
    assert len(refused.value.shown) == 21
    assert refused.value.shown[-1] == "And 5 more."


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "The file is empty"), (b" " * (MOST_BYTES + 1), "5 MB")]
)
def test_a_file_that_is_none_is_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(GoldRefused, match=sentence):
        read_gold(content)


# Storing


def test_nothing_is_stored_unless_all_rows_are_good(campaign: Campaign) -> None:
    with pytest.raises(GoldRefused) as refused:
        add(campaign, ROW, ROW | {"prompt": "3 + 3?"}, ROW)
    assert refused.value.shown == ["Row 3: It is row 1 again."]
    assert campaign.gold.count() == 0


@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        (ROW, "has this pair already."),
        (ROW | {"use": "onboarding"}, "has this pair already."),
        (ROW | {"better": "5", "worse": "4"}, "with the other one as the better"),
    ],
)
def test_a_pair_that_is_there_is_refused(
    campaign: Campaign, again: dict[str, object], sentence: str
) -> None:
    add(campaign, ROW)
    with pytest.raises(GoldRefused) as refused:
        add(campaign, again)
    assert sentence in refused.value.shown[0]
    assert campaign.gold.count() == 1


def test_another_campaign_may_have_the_same_pair(campaign: Campaign, people: People) -> None:
    add(campaign, ROW)
    assert add(make_campaign(people.anna, name="other"), ROW) == 1


# Pages


def test_one_pair_is_added_by_form(campaign: Campaign, admin: Client) -> None:
    page = typed(admin, campaign, better="4\r\n\r\nindeed ", explanation="Count.")
    assert "The pair is stored." in page
    gold = Gold.objects.get()
    assert (gold.campaign, gold.use, gold.better) == (campaign, "check", "4\n\nindeed ")
    assert gold.messages == [{"role": "user", "content": "2 + 2?"}]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"worse": "4"}, "are the same"),
        ({"worse": ""}, "This field is required."),
        ({"use": "both"}, "Select a valid choice."),
        ({"prompt": '[{"role": "user"'}, "The prompt is not JSON"),
    ],
)
def test_a_bad_form_is_shown_again(
    campaign: Campaign, admin: Client, data: dict[str, str], sentence: str
) -> None:
    page = typed(admin, campaign, explanation="Kept as typed.", **data)
    assert sentence in page
    assert "Kept as typed." in page
    assert Gold.objects.count() == 0


def test_a_pair_typed_twice_is_stored_once(campaign: Campaign, admin: Client) -> None:
    typed(admin, campaign)
    assert "The campaign has this pair already." in typed(admin, campaign)
    assert Gold.objects.count() == 1


def test_a_file_is_added(campaign: Campaign, admin: Client) -> None:
    page = upload(admin, campaign, jsonl(ROW, ROW | {"prompt": "3 + 3?", "use": "onboarding"}))
    assert "2 pairs are stored." in page
    assert list(campaign.gold.values_list("use", flat=True)) == ["check", "onboarding"]


def test_a_bad_file_lists_its_rows_and_stores_nothing(campaign: Campaign, admin: Client) -> None:
    page = upload(admin, campaign, jsonl(ROW, {"prompt": HOSTILE}))
    assert "Nothing was stored. Mend these rows." in page
    assert 'Row 2: There is no "better" in the row.' in page
    assert Gold.objects.count() == 0


def test_a_file_that_is_too_large_is_refused(campaign: Campaign, admin: Client) -> None:
    page = upload(admin, campaign, b" " * (MOST_BYTES + 1))
    assert "The file is larger than 5 MB. Split it." in page
    huge = admin.post(f"/campaigns/{campaign.pk}/gold/file/", CONTENT_LENGTH=str(10**12))
    assert huge.status_code == 413
    assert "The file is larger than 5 MB. Split it." in huge.content.decode()
    assert Gold.objects.count() == 0


def test_a_file_needs_the_forms_token(campaign: Campaign, people: People) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.admin)
    data = {"file": SimpleUploadedFile("gold.jsonl", jsonl(ROW))}
    assert client.post(f"/campaigns/{campaign.pk}/gold/file/", data).status_code == 403
    assert Gold.objects.count() == 0


def test_hostile_text_stays_text(campaign: Campaign, admin: Client) -> None:
    add(campaign, {"prompt": HOSTILE, "better": HOSTILE, "worse": "x", "explanation": HOSTILE})
    page = admin.get(f"/campaigns/{campaign.pk}/gold/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("&lt;script&gt;alert(1)") == 4  # in the line, and in the fold


def answered(campaign: Campaign, people: People, *, right: bool) -> Gold:
    """A check that anna was asked, rightly or wrongly answered."""
    gold = campaign.gold.get()
    comparison = Comparison.objects.create(
        campaign=campaign,
        kind="gold",
        gold=gold,
        position=0,
        reserved_for=people.anna,
        annotator=people.anna,
        first_on_left=False,
    )
    Judgement.objects.create(
        comparison=comparison,
        annotator=people.anna,
        choice="right" if right else "left",
        first_on_left=False,
        lease="00000000-0000-0000-0000-000000000001",
        seconds=1.0,
    )
    return gold


@pytest.mark.parametrize(("right", "share"), [(True, "100%"), (False, "0%")])
def test_the_list_says_how_often_a_pair_was_answered_rightly(
    campaign: Campaign, people: People, admin: Client, right: bool, share: str
) -> None:
    add(campaign, ROW)
    assert '<td class="num">–</td>' in text(admin, f"/campaigns/{campaign.pk}/gold/")
    answered(campaign, people, right=right)
    page = text(admin, f"/campaigns/{campaign.pk}/gold/")
    assert f'<td class="num">1</td>\n          <td class="num">{share}</td>' in page


def switch(client: Client, gold: Gold, on: str) -> str:
    address = f"/campaigns/{gold.campaign_id}/gold/{gold.pk}/"
    return html.unescape(client.post(address, {"on": on}, follow=True).content.decode())


def test_a_pair_that_nobody_was_asked_goes(campaign: Campaign, admin: Client) -> None:
    add(campaign, ROW)
    assert "The pair is gone" in switch(admin, campaign.gold.get(), "1")
    assert campaign.gold.count() == 0


def test_a_pair_that_was_answered_is_retired_and_can_come_back(
    campaign: Campaign, people: People, admin: Client
) -> None:
    add(campaign, ROW)
    gold = answered(campaign, people, right=True)
    assert "The pair is retired: its answers are kept." in switch(admin, gold, "1")
    gold.refresh_from_db()
    assert gold.retired_at is not None
    assert Judgement.objects.count() == 1
    assert "retired. Use that one again." in typed(admin, campaign)
    assert "in use again" in switch(admin, gold, "0")
    gold.refresh_from_db()
    assert gold.retired_at is None


@pytest.mark.django_db(transaction=True)
def test_a_pair_that_is_asked_while_it_is_taken_out_is_retired(
    campaign: Campaign, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foreign keys are looked at when it is committed."""
    add(campaign, ROW)
    gold = campaign.gold.get()
    pk, true = gold.pk, Gold.delete

    def delete(self: Gold) -> None:
        true(self)
        Comparison.objects.create(
            campaign=campaign, kind="gold", gold_id=pk, position=0, reserved_for=people.anna
        )

    monkeypatch.setattr(Gold, "delete", delete)
    assert not retire_gold(gold)
    assert Gold.objects.get(pk=pk).retired_at is not None


def test_a_button_that_says_neither_changes_nothing(campaign: Campaign, admin: Client) -> None:
    add(campaign, ROW)
    assert "Nothing was changed." in switch(admin, campaign.gold.get(), "2")
    assert campaign.gold.get().retired_at is None


def test_gold_of_another_campaign_is_not_found(
    campaign: Campaign, people: People, admin: Client
) -> None:
    add(campaign, ROW)
    other = make_campaign(people.anna, name="other")
    address = f"/campaigns/{other.pk}/gold/{campaign.gold.get().pk}/"
    assert admin.post(address, {"on": "1"}).status_code == 404
    assert campaign.gold.count() == 1


def test_annotators_and_strangers_change_nothing(campaign: Campaign, people: People) -> None:
    add(campaign, ROW)
    gold = campaign.gold.get()
    for person in (people.anna, people.stranger):
        client = people.client(person)
        base = f"/campaigns/{campaign.pk}/gold/"
        assert client.get(base).status_code == 403
        assert client.post(base, ROW | {"prompt": "y"}).status_code == 403
        assert client.post(f"{base}{gold.pk}/", {"on": "1"}).status_code == 403
        file = SimpleUploadedFile("gold.jsonl", jsonl(ROW | {"prompt": "y"}))
        assert client.post(f"{base}file/", {"file": file}).status_code == 403
    assert list(campaign.gold.values_list("pk", "retired_at")) == [(gold.pk, None)]


def test_the_list_costs_the_same_with_three_pairs(campaign: Campaign, admin: Client) -> None:
    address = f"/campaigns/{campaign.pk}/gold/"

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(address).status_code == 200
        return len(queries)

    add(campaign, ROW)
    admin.get(address)
    one = cost()
    add(campaign, ROW | {"prompt": "3 + 3?"}, ROW | {"prompt": "4 + 4?"})
    assert cost() == one


def test_added_gold_is_asked(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=20, gold_share=0.5)
    add(campaign, ROW, ROW | {"prompt": "3 + 3?"})
    for _ in range(22):
        give(campaign, people.anna, "left", NO_DETAILS)
    assert campaign.comparisons.filter(kind="gold", labelled_at__isnull=False).count() == 2


# The command


def add_by_command(campaign: Campaign, file: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("add_gold", campaign.name, str(file), *options, stdout=out)
    return out.getvalue()


def test_the_command_adds_a_file(campaign: Campaign, tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_bytes(jsonl(ROW, ROW | {"prompt": "3 + 3?", "use": "check"}))
    said = add_by_command(campaign, file, "--use", "onboarding")
    assert said == "2 gold pairs added to “campaign”.\n"
    assert list(campaign.gold.values_list("use", flat=True)) == ["onboarding", "check"]


def test_the_command_refuses_in_words(campaign: Campaign, tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        add_by_command(campaign, file)
    file.write_bytes(jsonl(ROW, {"prompt": "x"}))
    with pytest.raises(CommandError, match="Row 2: There is no"):
        add_by_command(campaign, file)
    with pytest.raises(CommandError, match="There is no campaign named “nothing”."):
        call_command("add_gold", "nothing", str(file))
    assert Gold.objects.count() == 0
