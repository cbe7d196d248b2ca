"""What an admin sees of a campaign: warnings, guidelines, flags, onboarding, identities."""

import html
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotate.answering import NO_DETAILS, Details, flag
from annotate.gold import add_gold, gold_pair
from annotate.guidelines import change_guidelines
from annotate.leasing import next_comparison
from annotate.models import Campaign, Flag, Gold
from annotate.overview import MOST_SEARCHED, Leaks, leaks_of, onboarding_of, warnings
from pairselect.pools.models import Completion
from tests.conftest import People, give, make_campaign

pytestmark = pytest.mark.page

ON = {"ties": "on", "both_bad": "on", "skips": "on", "flags": "on"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def said(client: Client, address: str, data: dict[str, Any]) -> str:
    return html.unescape(client.post(address, data, follow=True).content.decode())


def cost(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


# Who may


@pytest.mark.parametrize("who", ["anna", "stranger"])
def test_only_admins_change_anything(campaign: Campaign, people: People, who: str) -> None:
    client = people.client(getattr(people, who))
    base = f"/campaigns/{campaign.pk}/"
    flagged = flag(campaign.comparisons.all()[0], people.anna, kind=Flag.Kind.OTHER, note="")
    for address, data in (
        (f"{base}asked/", ON | {"criteria": "x"}),
        (f"{base}guidelines/", {"guidelines": "x"}),
        (f"{base}flags/{flagged.pk}/", {"on": "1"}),
    ):
        assert client.post(address, data).status_code == 403
        assert client.get(address).status_code in (403, 405)
    campaign.refresh_from_db()
    assert campaign.criteria == []
    assert campaign.guidelines.count() == 0
    assert Flag.objects.get().resolved_at is None


@pytest.mark.parametrize("address", ["asked", "gold/file", "gold/1", "flags/1"])
def test_what_changes_things_refuses_get(campaign: Campaign, admin: Client, address: str) -> None:
    assert admin.get(f"/campaigns/{campaign.pk}/{address}/").status_code == 405


# Warnings


def test_a_campaign_that_can_have_all_it_asks_for_warns_of_nothing(people: People) -> None:
    campaign = make_campaign(people.anna, people.ben, labels_per_pair=2)
    assert warnings(campaign) == []


def test_what_cannot_be_had_is_warned_of(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, labels_per_pair=3, gold_share=0.1, passing_mark=0.5)
    found = warnings(campaign)
    assert [sentence.split(":")[0] for sentence in found] == [
        "Each pair is to get 3 labels from as many people, but only 1 compares here",
        "A share of the answers is meant for gold pairs, but there are none",
        "An onboarding is asked for, but it has no gold pairs, so everybody begins without one",
    ]
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert all(sentence in page for sentence in found)


def test_gold_of_one_use_does_not_stand_in_for_the_other(people: People) -> None:
    campaign = make_campaign(people.anna, gold_share=0.1, passing_mark=0.5)
    row = {"prompt": "x", "better": "a", "worse": "b"}
    add_gold(campaign, [(1, gold_pair(row))])
    assert [sentence[:13] for sentence in warnings(campaign)] == ["An onboarding"]
    Gold.objects.update(use="onboarding")
    assert [sentence[:7] for sentence in warnings(campaign)] == ["A share"]
    Gold.objects.update(retired_at=timezone.now())
    assert len(warnings(campaign)) == 2


def test_a_campaign_of_nobody_says_so(people: People) -> None:
    campaign = make_campaign()
    assert warnings(campaign) == ["Nobody compares here yet: choose annotators below."]


# Guidelines


def test_versions_are_listed_with_their_labels_and_changes(
    campaign: Campaign, people: People, admin: Client
) -> None:
    address = f"/campaigns/{campaign.pk}/guidelines/"
    give(campaign, people.anna, "tie")
    said(admin, address, {"guidelines": "Be strict.\r\nBe brief."})
    first = campaign.guidelines.get()
    assert first.text == "Be strict.\nBe brief."
    give(campaign, people.anna, "left", Details(guideline=first))
    give(campaign, people.anna, "skip", Details(guideline=first, skip_reason="other"))
    said(admin, address, {"guidelines": "Be very strict.\r\nBe brief."})
    page = admin.get(address).content.decode()
    versions = re.findall(r"<h2>Version (\d).*?(\d+) labels?<", page, re.DOTALL)
    assert versions == [("2", "0"), ("1", "1")]
    assert "Be<ins> very</ins> strict." in page
    assert ", ada · " in page
    assert "1 label was given without guidelines." in page


def test_the_same_text_again_is_no_new_version(campaign: Campaign, admin: Client) -> None:
    for _ in range(2):
        said(admin, f"/campaigns/{campaign.pk}/guidelines/", {"guidelines": "Be\r\nstrict."})
    assert campaign.guidelines.count() == 1


def test_hostile_guidelines_stay_text(campaign: Campaign, admin: Client) -> None:
    address = f"/campaigns/{campaign.pk}/guidelines/"
    for words in ("Be strict.", f"Be {HOSTILE} strict.", "Be strict again."):
        change_guidelines(campaign, words)
    page = admin.get(address).content.decode()
    assert HOSTILE not in page
    assert "<ins>" in page
    assert "<del>" in page


def test_what_stayed_the_same_is_cut_short(campaign: Campaign, admin: Client) -> None:
    long = "\n".join(f"Line {i} of what nobody changed." for i in range(200))
    change_guidelines(campaign, f"Start\n{long}\nend")
    change_guidelines(campaign, f"Begin\n{long}\nend")
    page = text(admin, f"/campaigns/{campaign.pk}/guidelines/")
    changed = page.split('<div class="changes"')[1].split("</div>")[0]
    assert "<del>Start" in changed
    assert " … " in changed
    assert len(changed) < 1000


def test_many_versions_come_on_pages_that_cost_the_same(campaign: Campaign, admin: Client) -> None:
    address = f"/campaigns/{campaign.pk}/guidelines/"
    change_guidelines(campaign, "Version one.")
    change_guidelines(campaign, "Version two.")
    admin.get(address)
    two = cost(admin, address)
    for i in range(3, 13):
        change_guidelines(campaign, f"Version {i}.")
    assert cost(admin, address) == two
    assert admin.get(address).content.decode().count("<h2>Version") == 10
    last = admin.get(f"{address}?page=2").content.decode()
    assert re.findall(r"<h2>Version (\d+)", last) == ["2", "1"]


# Flags and skips


def flag_next(campaign: Campaign, people: People, note: str = "") -> Flag:
    comparison = next_comparison(campaign, people.anna)
    assert comparison is not None
    return flag(comparison, people.anna, kind=Flag.Kind.DANGEROUS, note=note)


def test_an_open_flag_is_shown_with_its_texts_and_counted(
    campaign: Campaign, people: People, admin: Client
) -> None:
    flagged = flag_next(campaign, people, note=f"Look {HOSTILE}")
    Completion.objects.update(text=f"**Bold** {HOSTILE}")
    page = admin.get(f"/campaigns/{campaign.pk}/flags/").content.decode()
    assert HOSTILE not in page
    assert "Dangerous or illegal" in page
    assert "anna, " in page
    assert "Question number 0?" in page
    assert page.count("<strong>Bold</strong>") == 2
    overview = admin.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert '<span class="tab-count">1</span>' in overview
    said(admin, f"/campaigns/{campaign.pk}/flags/{flagged.pk}/", {"on": "1"})
    flagged.refresh_from_db()
    assert flagged.resolved_at is not None
    assert "tab-count" not in text(admin, f"/campaigns/{campaign.pk}/")
    assert "No open flags" in text(admin, f"/campaigns/{campaign.pk}/flags/")
    assert "Dangerous or illegal" in text(admin, f"/campaigns/{campaign.pk}/flags/resolved/")
    said(admin, f"/campaigns/{campaign.pk}/flags/{flagged.pk}/", {"on": "0"})
    flagged.refresh_from_db()
    assert flagged.resolved_at is None


def test_the_texts_are_on_the_sides_that_the_person_saw(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, people.ben, prompts=12)
    seen, passed_on = [], 0
    for _ in range(12):
        comparison = next_comparison(campaign, people.anna)
        assert comparison is not None
        flagged = flag(comparison, people.anna, kind=Flag.Kind.OTHER, note="")
        seen.append((flagged.pk, comparison.left_text))
        give(campaign, people.anna, "skip", Details(skip_reason="other"))
    for _ in range(12):  # shown to somebody else since, on sides of their own
        theirs = next_comparison(campaign, people.ben)
        assert theirs is not None
        passed_on += theirs.left_text not in [left for _pk, left in seen]
        give(campaign, people.ben, "left")
    assert passed_on > 0
    page = admin.get(f"/campaigns/{campaign.pk}/flags/").content.decode()
    shown = re.findall(r"\">Left</p><div class=\"prose\" dir=\"auto\"><p>(.*?)</p>", page)
    assert shown == [left for _pk, left in seen]


def test_a_flag_of_another_campaign_is_not_found(
    campaign: Campaign, people: People, admin: Client
) -> None:
    flagged = flag_next(campaign, people)
    other = make_campaign(people.anna, name="other")
    response = admin.post(f"/campaigns/{other.pk}/flags/{flagged.pk}/", {"on": "1"})
    assert response.status_code == 404
    assert Flag.objects.get().resolved_at is None


def test_a_flags_button_that_says_neither_changes_nothing(
    campaign: Campaign, people: People, admin: Client
) -> None:
    flagged = flag_next(campaign, people)
    page = said(admin, f"/campaigns/{campaign.pk}/flags/{flagged.pk}/", {"on": "maybe"})
    assert "Nothing was changed." in page
    assert Flag.objects.get().resolved_at is None


def test_flags_cost_the_same_with_three(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, prompts=5)
    address = f"/campaigns/{campaign.pk}/flags/"
    flag_next(campaign, people)
    admin.get(address)
    one = cost(admin, address)
    for _ in range(2):
        give(campaign, people.anna, "left")
        flag_next(campaign, people)
    assert Flag.objects.count() == 3
    assert cost(admin, address) == one


def test_skips_are_counted_by_reason(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, prompts=6)
    for reason in ("language", "unclear", "language"):
        give(campaign, people.anna, "skip", Details(skip_reason=reason))
    give(campaign, people.anna, "skip", NO_DETAILS)
    page = text(admin, f"/campaigns/{campaign.pk}/flags/")
    rows = re.findall(r'<th scope="row">([^<]*)</th><td class="num">(\d+)</td>', page)
    assert rows == [
        ("I do not know the language", "2"),
        ("No reason given", "1"),
        ("The prompt makes no sense", "1"),
        ("All", "4"),
    ]


# Onboarding


def onboarded(people: People, passing_mark: float = 0.5) -> Campaign:
    campaign = make_campaign(people.anna, people.ben, passing_mark=passing_mark)
    rows = [{"prompt": f"{i}?", "better": "a", "worse": "b", "use": "onboarding"} for i in (1, 2)]
    add_gold(campaign, list(enumerate(map(gold_pair, rows), start=1)))
    return campaign


def answer_gold(campaign: Campaign, people: People, *, right: bool) -> None:
    comparison = next_comparison(campaign, people.anna)
    assert comparison is not None
    assert comparison.gold is not None
    give(campaign, people.anna, "left" if comparison.first_on_left == right else "right")


def test_who_has_passed_is_shown_with_the_score(people: People, admin: Client) -> None:
    campaign = onboarded(people)
    anna, ben = onboarding_of(campaign)
    assert (anna.name, anna.answered, anna.asked, anna.passed_at) == ("anna", 0, 0, None)
    answer_gold(campaign, people, right=True)
    anna, ben = onboarding_of(campaign)
    assert (anna.right, anna.answered, anna.asked, anna.is_over) == (1, 1, 2, False)
    answer_gold(campaign, people, right=False)
    anna, ben = onboarding_of(campaign)
    assert (anna.right, anna.answered, anna.asked, anna.is_over) == (1, 2, 2, True)
    assert anna.passed_at is not None
    assert (ben.name, ben.answered, ben.passed_at) == ("ben", 0, None)
    page = text(admin, f"/campaigns/{campaign.pk}/")
    assert "50% right to pass" in page
    assert "Passed</span>" in page
    assert "Not begun</span>" in page


def test_a_failed_attempt_and_the_next_are_told_apart(people: People, admin: Client) -> None:
    from annotate.onboarding import try_again

    campaign = onboarded(people, passing_mark=1.0)
    answer_gold(campaign, people, right=True)
    answer_gold(campaign, people, right=False)
    assert "Not passed</span>" in text(admin, f"/campaigns/{campaign.pk}/")
    assert try_again(campaign, people.anna)
    answer_gold(campaign, people, right=True)
    anna = onboarding_of(campaign)[0]
    assert (anna.attempt, anna.right, anna.answered, anna.asked) == (2, 1, 1, 2)


def test_a_campaigns_page_costs_the_same_with_three_people(people: People, admin: Client) -> None:
    campaign = onboarded(people)
    address = f"/campaigns/{campaign.pk}/"
    for _ in range(2):
        answer_gold(campaign, people, right=True)
    give(campaign, people.anna, "left")
    admin.get(address)
    two = cost(admin, address)
    campaign.annotators.add(people.stranger)
    give(campaign, people.anna, "left")
    assert cost(admin, address) == two


# Identities


def test_completions_that_name_their_model_are_counted_on_demand(
    people: People, admin: Client
) -> None:
    campaign = make_campaign(people.anna)
    first, other = Completion.objects.order_by("pk")[:2]
    Completion.objects.filter(pk=first.pk).update(text="I am ChatGPT, made by OpenAI.")
    unused = Completion.objects.exclude(
        pk__in=campaign.design.pairs.values("first")
    ).exclude(pk__in=campaign.design.pairs.values("second"))  # fmt: skip
    assert unused.update(text="I am ChatGPT, made by OpenAI.") == 3
    assert leaks_of(campaign) == Leaks(found=1, searched=6, total=6)
    address = f"/campaigns/{campaign.pk}/"
    assert "Count the completions that say so" in text(admin, address)
    sentence = "1 of its 6 completions says which model wrote it."
    assert sentence not in text(admin, address)
    page = text(admin, f"{address}?identities=1")
    assert sentence in page
    assert "Switch hiding on below" in page
    Campaign.objects.update(mask_identities=True)
    assert "Annotators do not see it." in text(admin, f"{address}?identities=1")
    Completion.objects.filter(pk=other.pk).update(text="As a-model-that-nobody-sees I say so.")
    assert leaks_of(campaign).sentence == "2 of its 6 completions say which model wrote them."


def test_a_large_campaign_is_searched_in_part_and_says_so() -> None:
    leaks = Leaks(found=3, searched=MOST_SEARCHED, total=9000)
    assert leaks.sentence == (
        "3 of the first 2,000 of its 9,000 completions say which model wrote them."
    )


@pytest.mark.parametrize(
    ("role", "path", "also"),
    [
        ("annotators", "annotators/", {}),
        ("adjudicators", "disagreements/", {"adjudicate": "any"}),
    ],
)
def test_who_comes_while_a_form_is_open_stays(
    campaign: Campaign, people: People, role: str, path: str, also: dict[str, str]
) -> None:
    admin, there = people.client(people.admin), getattr(campaign, role)
    there.set([people.anna, people.ben])
    page = admin.get(f"/campaigns/{campaign.pk}/{path.replace('annotators/', '')}")
    seen = re.findall(r'name="seen" value="(\d+)"', page.content.decode())
    there.add(people.stranger)
    sent = {"seen": seen, role: [people.anna.pk], **also}
    assert admin.post(f"/campaigns/{campaign.pk}/{path}", sent).status_code == 302
    assert set(there.all()) == {people.anna, people.stranger}
