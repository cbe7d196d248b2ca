"""Guidelines: versions that never change, who has read which, and which one a label followed."""

from pytest_django import DjangoAssertNumQueries

from annotate.forms.answers import AnswerForm
from annotate.guidelines import change_guidelines, guideline_view, mark_read
from annotate.models import Campaign, Guideline
from annotate.queries import current_guideline
from tests.conftest import People, give, make_campaign


def version(campaign: Campaign, text: str) -> Guideline:
    made = change_guidelines(campaign, text)
    assert made is not None
    return made


def test_a_change_is_a_further_version(campaign: Campaign, people: People) -> None:
    first = version(campaign, "Shorter is better.")
    second = change_guidelines(campaign, "Truth first.", created_by=people.admin)
    assert second == current_guideline(campaign)
    assert list(campaign.guidelines.values_list("number", "text", "created_by")) == [
        (1, "Shorter is better.", None),
        (2, "Truth first.", people.admin.pk),
    ]
    assert version(campaign, "Shorter is better.").pk != first.pk  # back again is new, too


def test_the_same_text_is_no_change(campaign: Campaign) -> None:
    assert change_guidelines(campaign, "") is None
    first = version(campaign, "Be kind.")
    assert change_guidelines(campaign, "Be kind.") == first
    assert campaign.guidelines.count() == 1


def test_each_campaign_counts_its_own(campaign: Campaign, people: People) -> None:
    other = make_campaign(people.anna, name="other")
    assert version(campaign, "One.").number == version(other, "One.").number == 1


def test_what_is_unread_is_each_persons_own(campaign: Campaign, people: People) -> None:
    assert guideline_view(campaign, people.anna) is None
    first = version(campaign, "Be kind.\n\nBe true.")
    for person in (people.anna, people.ben):
        view = guideline_view(campaign, person)
        assert view is not None
        assert (view.version, view.is_unread, view.changes) == (first, True, [])
    mark_read(campaign, people.anna, first)
    assert guideline_view(campaign, people.anna).is_unread is False  # type: ignore[union-attr]
    assert guideline_view(campaign, people.ben).is_unread is True  # type: ignore[union-attr]
    version(campaign, "Be kind.\n\nBe brief.")
    view = guideline_view(campaign, people.anna)
    assert view is not None
    assert view.is_unread
    assert [change.text for change in view.changes if change.kind == "removed"] == ["true"]
    assert [change.text for change in view.changes if change.kind == "added"] == ["brief"]


def test_guidelines_that_were_emptied_ask_for_no_reading(
    campaign: Campaign, people: People
) -> None:
    mark_read(campaign, people.anna, version(campaign, "Be kind."))
    version(campaign, "")
    assert guideline_view(campaign, people.anna).is_unread is False  # type: ignore[union-attr]


def test_an_earlier_version_read_in_an_old_tab_does_not_undo_the_later(
    campaign: Campaign, people: People
) -> None:
    first, second = version(campaign, "One."), version(campaign, "Two.")
    mark_read(campaign, people.anna, second)
    mark_read(campaign, people.anna, first)
    assert guideline_view(campaign, people.anna).is_unread is False  # type: ignore[union-attr]


def test_a_label_knows_the_version_that_was_before_its_person(
    campaign: Campaign, people: People
) -> None:
    first = version(campaign, "One.")
    page = people.client(people.anna).get(f"/work/{campaign.pk}/")
    shown = page.context["guidelines"].version
    version(campaign, "Two.")
    form = AnswerForm(
        campaign,
        {"choice": "left", "token": page.context["sheet"].token, "guideline": shown.pk},
    )
    assert form.is_valid()
    assert give(campaign, people.anna, "left", form.details()).guideline == first


def test_the_guidelines_of_another_campaign_are_not_a_labels(
    campaign: Campaign, people: People
) -> None:
    foreign = version(make_campaign(people.ben, name="other"), "Theirs.")
    page = people.client(people.anna).get(f"/work/{campaign.pk}/")
    page_token = page.context["sheet"].token
    for number in (foreign.pk, 2**62):
        form = AnswerForm(campaign, {"choice": "left", "token": page_token, "guideline": number})
        assert form.is_valid()
        assert form.details().guideline is None


def test_reading_by_the_page(campaign: Campaign, people: People) -> None:
    first = version(campaign, "One.")
    foreign = version(make_campaign(people.ben, name="other"), "Theirs.")
    client = people.client(people.anna)
    address, asked = f"/work/{campaign.pk}/guidelines/", {"Accept": "application/json"}
    for number in ("", "x", "-1", "²", str(foreign.pk), "9" * 30, "9" * 5000):
        response = client.post(address, {"guideline": number}, headers=asked)
        assert response.json() == {"outcome": "refused"}
    assert guideline_view(campaign, people.anna).is_unread  # type: ignore[union-attr]
    response = client.post(address, {"guideline": first.pk}, headers=asked)
    assert response.json() == {"outcome": "read"}
    assert not guideline_view(campaign, people.anna).is_unread  # type: ignore[union-attr]
    assert client.post(address, {"guideline": first.pk}).headers["Location"] == (
        f"/work/{campaign.pk}/"
    )


def test_versions_cost_nothing(
    campaign: Campaign, people: People, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    version(campaign, "0")
    guideline_view(campaign, people.anna)
    for number in range(1, 4):
        version(campaign, str(number))
        with django_assert_num_queries(2):
            guideline_view(campaign, people.anna)
