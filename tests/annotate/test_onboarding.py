"""Before the work: gold in its order, explained one by one, and a mark to be reached."""

import json
import re
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.addresses import word_of
from annotate.answering import Outcome, answer, undo
from annotate.leasing import next_comparison, next_comparisons
from annotate.models import Campaign, Comparison, Gold, Judgement, Participation
from annotate.onboarding import needed, onboarding_left, onboarding_result, practice_of, try_again
from annotate.queries import current_labels, last_judgement, pace_of
from tests.annotate.giving import prefer
from tests.conftest import People, give, make_campaign

Kind = Comparison.Kind


def add_practice(campaign: Campaign, number: int = 3) -> None:
    for i in range(number):
        Gold.objects.create(
            campaign=campaign,
            use=Gold.Use.ONBOARDING,
            messages=[{"role": "user", "content": f"Practice {i}?"}],
            better=f"right {i}",
            worse=f"wrong {i}",
            explanation=f"Because of *reason {i}*.",
        )


def practise(campaign: Campaign, person: User, *right: bool) -> None:
    for one in right:
        judgement = prefer(campaign, person, first=one)
        assert judgement.comparison.kind == Kind.ONBOARDING


@pytest.fixture
def practised(people: People) -> Campaign:
    """Two of three have to be right."""
    campaign = make_campaign(people.anna, people.ben, prompts=20, passing_mark=0.6)
    add_practice(campaign)
    return campaign


@pytest.mark.parametrize(
    ("asked", "mark", "right"),
    [
        (3, 0.0, 0),
        (3, 1.0, 3),
        (3, 0.67, 3),
        (3, 2 / 3, 2),
        (3, 0.66, 2),
        (10, 0.7, 7),
        (1, 0.01, 1),
    ],
)
def test_the_mark_is_rounded_up(asked: int, mark: float, right: int) -> None:
    assert needed(asked, mark) == right


@pytest.mark.parametrize(
    ("mark", "right", "passes"),
    [
        (0.0, (False, False, False), True),
        (1.0, (True, True, True), True),
        (1.0, (True, True, False), False),
        (0.66, (True, False, True), True),
        (0.67, (True, False, True), False),
        (0.66, (True, False, False), False),
    ],
)
def test_the_mark_decides(
    people: People, mark: float, right: tuple[bool, ...], *, passes: bool
) -> None:
    campaign = make_campaign(people.anna, passing_mark=mark)
    add_practice(campaign)
    practise(campaign, people.anna, *right)
    following = next_comparison(campaign, people.anna)
    assert (following is not None) == passes
    if following:
        assert following.kind == Kind.LABEL
    state = Participation.objects.get(campaign=campaign, annotator=people.anna)
    assert (state.onboarded_at is not None) == passes


def test_practice_comes_in_its_order_one_by_one(practised: Campaign, people: People) -> None:
    for place in range(3):
        found = next_comparisons(practised, people.anna)
        assert [one.left_text[-1] for one in found] == [str(place)]
        practice = practice_of(practised, people.anna)
        assert practice is not None
        assert (practice.place, practice.total, practice.mark) == (place + 1, 3, 2)
        give(practised, people.anna, "left")


def test_each_person_has_their_own(practised: Campaign, people: People) -> None:
    practise(practised, people.anna, True, True, True)
    found = next_comparison(practised, people.ben)
    assert found is not None
    assert (found.kind, found.position) == (Kind.ONBOARDING, 0)


def test_failing_leads_to_another_attempt(practised: Campaign, people: People) -> None:
    assert not try_again(practised, people.anna)  # nothing to repeat yet
    practise(practised, people.anna, True, False, False)
    result = onboarding_result(practised, people.anna)
    assert result is not None
    assert (result.right, result.asked, result.needed, result.passed) == (1, 3, 2, False)
    assert next_comparison(practised, people.anna) is None
    assert try_again(practised, people.anna)
    assert not try_again(practised, people.anna)  # sent twice
    practise(practised, people.anna, True, True, False)
    assert next_comparison(practised, people.anna).kind == Kind.LABEL  # type: ignore[union-attr]
    assert Participation.objects.get(annotator=people.anna).attempt == 2


def test_a_mark_that_is_lowered_lets_those_who_reach_it_begin(
    practised: Campaign, people: People
) -> None:
    practise(practised, people.anna, True, False, False)
    Campaign.objects.update(passing_mark=0.3)
    practised.refresh_from_db()
    assert next_comparison(practised, people.anna).kind == Kind.LABEL  # type: ignore[union-attr]


def test_retired_practice_is_not_asked(practised: Campaign, people: People) -> None:
    first = practised.gold.order_by("pk")[0]
    Gold.objects.filter(pk=first.pk).update(retired_at="2026-01-01T00:00Z")
    practise(practised, people.anna, True, True)
    assert next_comparison(practised, people.anna).kind == Kind.LABEL  # type: ignore[union-attr]
    asked = practised.comparisons.filter(kind=Kind.ONBOARDING)
    assert first.pk not in asked.values_list("gold", flat=True)


def test_a_mark_without_practice_holds_nobody_up(people: People) -> None:
    campaign = make_campaign(people.anna, passing_mark=1.0)
    assert onboarding_left(campaign, people.anna) is None
    give(campaign, people.anna, "left")
    assert current_labels(campaign).count() == 1


def test_practice_is_no_label_and_no_answer_to_undo(practised: Campaign, people: People) -> None:
    practise(practised, people.anna, True, True)
    given = Judgement.objects.order_by("-pk")[0]
    assert last_judgement(practised, people.anna) is None
    assert undo(practised, people.anna, judgement_id=given.pk) is None
    assert not current_labels(practised).exists()
    assert pace_of(practised, people.anna).done == 0


def test_an_explained_answer_stands(practised: Campaign, people: People) -> None:
    """The explanation says what is right: revised answers would open the work to everybody."""
    practise(practised, people.anna, False, False, False)
    for wrong in Judgement.objects.all():
        right = "left" if wrong.first_on_left else "right"
        outcome = answer(
            wrong.comparison,
            people.anna,
            choice=Judgement.Choice(right),
            lease=uuid.uuid4(),
            replaces=wrong.pk,
        )
        assert outcome is Outcome.PASSED_ON
    assert Judgement.objects.count() == 3
    assert next_comparison(practised, people.anna) is None


def test_an_onboarding_that_is_added_later_comes_first(people: People) -> None:
    campaign = make_campaign(people.anna, prompts=20)
    assert len(next_comparisons(campaign, people.anna)) == 3
    add_practice(campaign)
    Campaign.objects.update(passing_mark=0.6)
    campaign.refresh_from_db()
    found = next_comparisons(campaign, people.anna)
    assert [one.kind for one in found] == [Kind.ONBOARDING]
    practise(campaign, people.anna, True, True, True)
    found = next_comparisons(campaign, people.anna)
    assert [(one.kind, one.position) for one in found] == [(Kind.LABEL, i) for i in range(3)]


# By the page


@pytest.fixture
def anna(people: People) -> Client:
    return people.client(people.anna)


def send(client: Client, campaign: Campaign, person: User, *, right: bool) -> dict[str, str]:
    comparison = next_comparison(campaign, person)
    assert comparison is not None
    choice = "left" if right == comparison.first_on_left else "right"
    page = client.get(f"/work/{campaign.pk}/")
    response = client.post(
        page.context["sheet"].answer_url,
        {"choice": choice, "token": str(comparison.lease)},
        headers={"Accept": "application/json"},
    )
    return json.loads(response.content)


def test_the_explanation_comes_after_the_answer_and_not_before(
    practised: Campaign, people: People, anna: Client
) -> None:
    assert "reason 0" not in anna.get(f"/work/{practised.pk}/").content.decode()
    state = send(anna, practised, people.anna, right=False)
    page = anna.get(state["leave"])
    assert "<em>reason 0</em>" in page.content.decode()
    assert page.context["explained"]["right"] is False
    assert "reason 1" not in page.content.decode()
    state = send(anna, practised, people.anna, right=True)
    assert anna.get(state["leave"]).context["explained"]["right"] is True


def test_a_refused_answer_to_practice_explains_nothing(
    practised: Campaign, people: People, anna: Client
) -> None:
    page = people.client(people.ben).get(f"/work/{practised.pk}/")
    address = page.context["sheet"].answer_url
    lease = str(page.context["sheet"].token)
    for client in (anna, people.client(people.ben)):
        state = client.post(
            address,
            {"choice": "left", "token": str(uuid.uuid4()) if client is not anna else lease},
            headers={"Accept": "application/json"},
        ).json()
        assert "no longer yours" in state["notice"]
        assert "leave" not in state
    assert not Judgement.objects.exists()


def test_work_cannot_be_answered_before_the_practice(
    practised: Campaign, people: People, anna: Client
) -> None:
    label = practised.comparisons.filter(kind=Kind.LABEL)[0]
    for token in (uuid.uuid4(), uuid.uuid4()):
        anna.post(
            f"/work/{practised.pk}/{word_of(label.pk)}/answer/",
            {"choice": "left", "token": str(token)},
            headers={"Accept": "application/json"},
        )
    held = anna.post(f"/work/{practised.pk}/upcoming/", headers={"Accept": "application/json"})
    assert len(held.json()["held"]) == 1
    assert not Judgement.objects.exists()
    assert not practised.comparisons.filter(kind=Kind.LABEL).exclude(annotator=None).exists()


def test_the_page_says_how_it_went_and_tries_again(
    practised: Campaign, people: People, anna: Client
) -> None:
    practise(practised, people.anna, True, False, False)
    page = anna.get(f"/work/{practised.pk}/").content.decode()
    assert "1 of 3 practice answers" in page
    anna.post(f"/work/{practised.pk}/onboarding/")
    assert anna.get(f"/work/{practised.pk}/").context["practice"].place == 1


def test_who_has_not_passed_finds_every_explanation_again(
    practised: Campaign, people: People
) -> None:
    practise(practised, people.anna, True, False, False)
    client = people.client(people.anna)
    page = client.get(f"/work/{practised.pk}/").content.decode()
    assert "1 of 3 practice answers agree with the known ones; 2 are asked for." in page
    found = re.findall(r'<li><a href="(/work/[^"]+)">([^<]+)</a>', page)
    assert [said for _, said in found] == ["Right", "Not as we see it", "Not as we see it"]
    for address, _ in found:
        assert "explained-title" in client.get(address).content.decode()
