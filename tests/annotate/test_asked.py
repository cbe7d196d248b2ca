"""What a campaign asks: the form, at opening, later, and at the terminal."""

import html
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from annotate import actions
from annotate.actions import create_campaign, open_campaign
from annotate.amending import amend
from annotate.answering import Details
from annotate.asking import Fixed, change_asked
from annotate.forms.asked import AskedForm
from annotate.models import Campaign, Judgement
from pairselect.designs.models import Design
from tests.conftest import NoProgress, People, give, make_campaign, make_design, make_pool

ON = {"ties": "on", "both_bad": "on", "skips": "on", "flags": "on"}
HOSTILE = "<script>alert(1)</script>"
FIELDS = {
    "strengths": 1,
    "ties": True,
    "both_bad": True,
    "skips": True,
    "flags": True,
    "reason": "optional",
    "reason_at": [],
    "criteria": [],
    "criteria_required": False,
    "edits": False,
    "labels_per_pair": 1,
    "repeat_share": 0.05,
    "gold_share": 0.0,
    "mask_identities": False,
    "passing_mark": None,
    "mix_window": 10,
    "pause_minutes": 50,
}


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def said(client: Client, address: str, data: dict[str, Any]) -> str:
    return html.unescape(client.post(address, data, follow=True).content.decode())


def stored(campaign: Campaign) -> dict[str, Any]:
    campaign.refresh_from_db()
    return {name: getattr(campaign, name) for name in FIELDS}


# The form


def test_the_usual_answers_of_the_form_are_the_models_own() -> None:
    form = AskedForm(ON)
    assert form.is_valid()
    assert form.asked() == FIELDS
    fresh = Campaign()
    assert {name: getattr(fresh, name) for name in FIELDS} == FIELDS


def test_all_that_can_be_asked_comes_out_as_the_models_values() -> None:
    form = AskedForm(
        {
            "strengths": "3",
            "flags": "on",
            "ties": "on",
            "reason": "required",
            "reason_at": ["side", "tie"],
            "criteria": " Helpfulness \r\n\r\nIs  it\ttrue?\nHonesty",
            "criteria_required": "on",
            "edits": "on",
            "labels_per_pair": "3",
            "repeat_share": "7.5",
            "gold_share": "0",
            "mask_identities": "on",
            "passing_mark": "80",
            "mix_window": "0",
            "pause_minutes": "25",
        }
    )
    assert form.is_valid(), form.errors
    assert form.asked() == {
        "strengths": 3,
        "ties": True,
        "both_bad": False,
        "skips": False,
        "flags": True,
        "reason": "required",
        "reason_at": ["left", "right", "tie"],
        "criteria": ["Helpfulness", "Is it true?", "Honesty"],
        "criteria_required": True,
        "edits": True,
        "labels_per_pair": 3,
        "repeat_share": 0.075,
        "gold_share": 0.0,
        "mask_identities": True,
        "passing_mark": 0.8,
        "mix_window": 0,
        "pause_minutes": 25,
    }


@pytest.mark.parametrize(
    ("data", "field", "sentence"),
    [
        ({"strengths": "4"}, "strengths", "valid choice"),
        ({"labels_per_pair": "0"}, "labels_per_pair", "greater than or equal to 1"),
        ({"labels_per_pair": "10"}, "labels_per_pair", "less than or equal to 9"),
        ({"repeat_share": "51"}, "repeat_share", "less than or equal to 50"),
        ({"repeat_share": "nan"}, "repeat_share", "Enter a number"),
        ({"repeat_share": "30", "gold_share": "21"}, "gold_share", "more than half"),
        ({"passing_mark": "101"}, "passing_mark", "less than or equal to 100"),
        ({"criteria": "\n".join("abcdefghi")}, "criteria", "9 criteria. Keep at most 8."),
        ({"criteria": "x" * 61}, "criteria", "at most 60 printable"),
        ({"criteria": "a\u202eb"}, "criteria", "printable"),
        ({"criteria": "Honesty\nhonesty"}, "criteria", "“honesty” is there twice"),
        ({"reason": "required", "reason_at": ["x"]}, "reason_at", "valid choice"),
        ({"reason": "required", "reason_at": ["tie"], "ties": ""}, "reason_at", "not offered"),
    ],
)
def test_what_cannot_be_asked_is_refused(data: dict[str, Any], field: str, sentence: str) -> None:
    form = AskedForm({name: value for name, value in (ON | data).items() if value})
    assert not form.is_valid()
    assert sentence in form.errors[field][0]


def test_a_reason_with_every_answer_is_stored_as_no_list() -> None:
    form = AskedForm(ON | {"reason": "required", "reason_at": ["side", "tie", "both_bad"]})
    assert form.is_valid()
    assert form.asked()["reason_at"] == []
    form = AskedForm(ON | {"reason": "optional", "reason_at": ["tie"]})
    assert form.is_valid()
    assert form.asked()["reason_at"] == []


def test_a_campaigns_values_come_back_through_the_form_as_they_were(people: People) -> None:
    asked = {
        "repeat_share": 0.07,
        "passing_mark": 0.8,
        "criteria": ["A", "B"],
        "reason": "required",
        "reason_at": ["left", "right"],
        "strengths": 2,
    }
    campaign = make_campaign(people.anna, **asked)
    form = AskedForm(campaign=campaign)
    again = AskedForm(form.initial)
    assert again.is_valid(), again.errors
    assert again.asked() == stored(campaign)


# Opening


def new(client: Client, design: Design, **data: Any) -> str:
    return said(client, "/campaigns/new/", ON | {"design": design.pk, "name": "new"} | data)


def test_a_campaign_is_opened_as_the_page_asks(people: People, admin: Client) -> None:
    design = make_design(make_pool())
    data = {"annotators": [people.anna.pk], "guidelines": "Be strict.", "strengths": "2"}
    new(admin, design, **data, labels_per_pair="3", criteria="Honesty")
    campaign = Campaign.objects.get()
    changes = {"strengths": 2, "labels_per_pair": 3, "criteria": ["Honesty"]}
    assert stored(campaign) == FIELDS | changes
    assert list(campaign.annotators.all()) == [people.anna]
    assert campaign.guidelines.get().created_by == people.admin


def test_what_is_wrong_is_said_and_nothing_is_opened(people: People, admin: Client) -> None:
    page = new(admin, make_design(make_pool()), criteria=f"{HOSTILE}\n{HOSTILE}", name="kept name")
    assert "is there twice. Name each criterion once." in page
    assert 'value="kept name"' in page
    assert Campaign.objects.count() == 0
    raw = admin.post("/campaigns/new/", {"criteria": f"{HOSTILE}\n{HOSTILE}"}).content.decode()
    assert HOSTILE not in raw


# Changing what is asked


def change(client: Client, campaign: Campaign, **data: Any) -> str:
    return said(client, f"/campaigns/{campaign.pk}/asked/", ON | data)


def test_what_is_asked_is_changed_while_people_work(
    campaign: Campaign, people: People, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    before = stored(campaign)
    page = change(admin, campaign, criteria="Honesty", reason="required", pause_minutes="5")
    assert "Saved. Comparisons ask for it from now on." in page
    changes = {"criteria": ["Honesty"], "reason": "required", "pause_minutes": 5}
    assert stored(campaign) == before | changes
    assert Judgement.objects.get().criteria == {}


@pytest.mark.parametrize("field", ["labels_per_pair", "mix_window"])
def test_what_was_laid_down_is_not_changed(campaign: Campaign, admin: Client, field: str) -> None:
    before = stored(campaign)
    page = change(admin, campaign, **{field: "5"}, criteria="Honesty")
    assert "Laid down when the campaign opened." in page
    assert "Nothing was saved." in page
    assert stored(campaign) == before


def test_it_may_be_changed_before_the_campaign_opens(campaign: Campaign, admin: Client) -> None:
    Campaign.objects.update(opened_at=None)
    change(admin, campaign, labels_per_pair="2", mix_window="4")
    assert (stored(campaign)["labels_per_pair"], campaign.mix_window) == (2, 4)


def test_a_campaign_opens_as_it_is_asked_for_by_then(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed after the job has begun, and before it lays down the queue."""
    campaign = create_campaign(make_design(make_pool()), name="late", annotators=[people.anna])
    begun: list[bool] = []

    def atomic() -> transaction.Atomic:
        if not begun:
            begun.append(True)
            change_asked(campaign, {"labels_per_pair": 3})
        return transaction.atomic()

    monkeypatch.setattr(actions, "transaction", SimpleNamespace(atomic=atomic))
    open_campaign(campaign.pk, NoProgress())  # type: ignore[arg-type]
    assert stored(campaign)["labels_per_pair"] == 3
    assert campaign.comparisons.count() == 3 * campaign.design.pairs.count()


def test_whoever_is_added_while_a_campaign_is_asked_for_again_stays(people: People) -> None:
    design = make_design(make_pool())
    campaign = create_campaign(design, name="again", annotators=[])

    def annotators() -> Iterator[User]:
        campaign.annotators.add(people.ben)
        yield people.anna

    create_campaign(design, name="again", annotators=annotators())
    assert set(campaign.annotators.all()) == {people.anna, people.ben}


def test_changes_of_a_campaign_at_once_keep_each_other(campaign: Campaign, people: People) -> None:
    read_before = Campaign.objects.get(pk=campaign.pk)
    amend(campaign, adjudicate="any", price="0.5", currency="EUR")
    amend(read_before, adjudicators=["ada"], priced_by="hour")
    campaign.refresh_from_db()
    assert (campaign.adjudicate, campaign.currency) == ("any", "EUR")
    assert (str(campaign.price), campaign.priced_by) == ("0.5000", "hour")
    assert list(campaign.adjudicators.all()) == [people.admin]


def test_steps_are_fixed_once_there_are_labels(
    campaign: Campaign, people: People, admin: Client
) -> None:
    assert "Saved." in change(admin, campaign, strengths="2")
    give(campaign, people.anna, "left", Details(strength=1))
    page = change(admin, campaign, strengths="3")
    assert "There are labels with these steps already." in page
    assert stored(campaign)["strengths"] == 2
    assert "Saved." in change(admin, campaign, strengths="2", edits="on")
    assert "Saved." in change(admin, campaign)  # a disabled field is not sent
    assert stored(campaign)["strengths"] == 2


def test_the_action_itself_refuses_what_came_between_page_and_form(campaign: Campaign) -> None:
    with pytest.raises(Fixed) as refused:
        change_asked(campaign, {"ties": False, "labels_per_pair": 2})
    assert refused.value.field == "labels_per_pair"
    assert stored(campaign)["ties"] is True


def test_a_bad_change_opens_the_form_with_its_error(campaign: Campaign, admin: Client) -> None:
    page = change(admin, campaign, criteria="x" * 61, repeat_share="0")
    assert '<details class="edit" open>' in page
    assert "x" * 61 in page
    assert 'name="labels_per_pair" value="1"' in page  # disabled, so it was not sent
    assert stored(campaign)["criteria"] == []


# The command


def open_by_command(*options: str) -> str:
    out = io.StringIO()
    call_command("open_campaign", "pool", "--name", "by command", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def design(people: People) -> Design:
    return make_design(make_pool())


def test_the_command_asks_as_the_page_does(design: Design, tmp_path: Path) -> None:
    guidelines = tmp_path / "guidelines.md"
    guidelines.write_text("Be **strict**.\n")
    said = open_by_command(
        "--annotator=anna", "--labels-per-pair=2", "--strengths=3", "--criterion=Honesty",
        "--criterion=Is it true?", "--criteria-required", "--reason=required", "--reason-at=side",
        "--edits", "--repeat-share=10", "--gold-share=0", "--mask-identities", "--mix-window=0",
        "--pause-minutes=30", "--passing-mark=75", "--no-ties", "--no-both-bad", "--no-skips",
        "--no-flags", f"--guidelines=@{guidelines}",
    )  # fmt: skip
    assert said == "“by command” is open: 6 comparisons, 1 annotator\n"
    campaign = Campaign.objects.get()
    assert stored(campaign) == {
        "strengths": 3,
        "ties": False,
        "both_bad": False,
        "skips": False,
        "flags": False,
        "reason": "required",
        "reason_at": ["left", "right"],
        "criteria": ["Honesty", "Is it true?"],
        "criteria_required": True,
        "edits": True,
        "labels_per_pair": 2,
        "repeat_share": 0.1,
        "gold_share": 0.0,
        "mask_identities": True,
        "passing_mark": 0.75,
        "mix_window": 0,
        "pause_minutes": 30,
    }
    assert campaign.guidelines.get().text == "Be **strict**."


def test_without_options_it_asks_as_usual_and_again_it_only_adds_people(design: Design) -> None:
    open_by_command("--annotator=anna", "--labels-per-pair=2")
    campaign = Campaign.objects.get()
    assert stored(campaign) == FIELDS | {"labels_per_pair": 2}
    Campaign.objects.update(criteria=["Honesty"])
    open_by_command("--annotator=ben", "--labels-per-pair=2")
    assert stored(campaign) == FIELDS | {"labels_per_pair": 2, "criteria": ["Honesty"]}
    assert campaign.annotators.count() == 2
    with pytest.raises(CommandError, match="with other settings"):
        open_by_command("--labels-per-pair=3")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--strengths=4"], "--strengths: Select a valid choice"),
        (["--labels-per-pair=many"], "--labels-per-pair: Enter a whole number."),
        (["--criterion=a", "--criterion=A"], "--criterion: “A” is there twice"),
        (["--repeat-share=30", "--gold-share=30"], "--gold-share: Repeats and gold"),
        (["--reason-at=nothing", "--reason=required"], "--reason-at: Select a valid choice"),
        (["--guidelines=@/nowhere/at/all"], "--guidelines: /nowhere/at/all cannot be read"),
        (["--guidelines", "x" * 20_001], "--guidelines: Ensure this value has at most"),
    ],
)
def test_the_command_names_the_option_that_is_wrong(
    design: Design, options: list[str], sentence: str
) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        open_by_command(*options)
    assert Campaign.objects.count() == 0
