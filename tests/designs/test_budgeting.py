"""A budget in labels, money or hours: the number that it comes to, and what is refused."""

from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from pairselect.designs import pace
from pairselect.designs.budgeting import BudgetForm, number_in_words
from pairselect.designs.models import Design
from pairselect.designs.pace import MeasuredPace
from pairselect.pools.models import Pool
from tests.conftest import People

MONEY = {"unit": "money", "money": "400", "price": "0.80", "priced_by": "label"}
HOURS = {"unit": "hours", "hours": "20", "seconds_per_label": "45"}
NOTHING_MEASURED = "No label has been timed yet: say what you expect."


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    before = list(pace._sources)
    pace.measured_by(lambda: None)
    yield
    pace._sources[:] = before


def form(**fields: str) -> BudgetForm:
    return BudgetForm(fields)


def said(form: BudgetForm) -> dict[str, str]:
    return {name: str(errors[0]) for name, errors in form.errors.items()}


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"budget": "500"}, 500),
        ({"unit": "labels", "budget": "500", "money": "9", "hours": "1"}, 500),
        (MONEY, 500),
        (MONEY | {"money": "0.80"}, 1),
        (MONEY | {"money": "0.3", "price": "0.1"}, 3),  # 0.3 / 0.1 is 2.9999999999999996
        (MONEY | {"money": "399.99"}, 499),  # what is left over buys nothing
        (MONEY | {"priced_by": "hour", "price": "20", "seconds_per_label": "45"}, 1600),
        (HOURS, 1600),
        (HOURS | {"hours": "0.1", "seconds_per_label": "50"}, 7),
        ({"money": "400", "price": "0.80"}, 500),  # the terminal names no unit
        ({"hours": "20", "seconds_per_label": "45"}, 1600),
    ],
)
def test_labels_that_a_budget_comes_to(fields: dict[str, str], labels: int) -> None:
    found = form(**fields)
    assert found.is_valid(), found.errors
    assert found.cleaned_data == {"budget": labels}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (MONEY, "400 at 0.8 a label: that is 500 labels."),
        (MONEY | {"money": "1", "price": "0.625"}, "1 at 0.625 a label: that is 1 label."),
        (HOURS, "20 h at 45 s a label: that is 1,600 labels."),
        (
            MONEY | {"priced_by": "hour", "price": "24", "seconds_per_label": "45"},
            "400 at 24 an hour and 45 s a label: that is 1,333 labels.",
        ),
        ({"budget": "500"}, ""),
    ],
)
def test_how_the_number_came_about_is_said(fields: dict[str, str], sentence: str) -> None:
    found = form(**fields)
    assert found.is_valid()
    assert found.comes_to == sentence


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, {"budget": "Say how many labels, or choose money or hours."}),
        ({"unit": "money", "price": "1"}, {"money": "Say how much money there is."}),
        (
            {"unit": "money", "money": "1"},
            {"price": "Say what a label, or an hour of work, costs."},
        ),
        (
            {"unit": "hours", "hours": "1"},
            {"seconds_per_label": "Say how many seconds a label takes."},
        ),
        (
            MONEY | {"money": "0.5"},
            {"money": "0.5 at 0.8 a label: that pays for no label. Raise it."},
        ),
        (
            MONEY | {"money": "1000000000", "price": "0.000001"},
            {
                "money": "1,000,000,000 at 0.000001 a label: that is more labels than any pool "
                "has. Lower it."
            },
        ),
        (MONEY | {"price": "0"}, {"price": "Ensure this value is greater than or equal to 1e-06."}),
        (MONEY | {"price": "nan"}, {"price": "Enter a number."}),
        (MONEY | {"price": "two"}, {"price": "Enter a number."}),
        (HOURS | {"hours": "-1"}, {"hours": "Ensure this value is greater than or equal to 0.01."}),
        ({"unit": "labels", "budget": "1.5"}, {"budget": "Enter a whole number."}),
    ],
)
def test_what_is_wrong_is_one_sentence_at_its_field(
    fields: dict[str, str], refused: dict[str, str]
) -> None:
    assert said(form(**fields)) == refused


@pytest.mark.parametrize(
    "fields",
    [
        {"unit": "labels", "budget": "500", "money": "0", "price": "two", "hours": "-1"},
        MONEY | {"budget": "0", "hours": "0", "seconds_per_label": "0"},
        HOURS | {"budget": "1.5", "money": "nan", "price": "0", "seconds_per_label": "144"},
    ],
)
def test_what_was_typed_for_another_unit_is_out_of_sight_and_no_matter(
    fields: dict[str, str],
) -> None:
    found = form(**fields)
    assert found.is_valid(), found.errors
    assert found.cleaned_data == {"budget": 500}


def test_a_browser_holds_no_form_back_for_a_field_that_it_hides() -> None:
    for name in ("budget", "money", "price", "hours", "seconds_per_label"):
        shown = str(form()[name])
        assert 'type="number"' in shown
        assert " min=" not in shown
        assert " max=" not in shown


# The measured pace


def test_the_measured_pace_is_shown_with_its_source_and_used() -> None:
    assert form().fields["seconds_per_label"].help_text == NOTHING_MEASURED
    pace.measured_by(lambda: MeasuredPace(seconds=44.96, labels=812))
    found = form(unit="hours", hours="2")
    assert found.fields["seconds_per_label"].initial == 45.0
    said = "Measured: 45 s, the mean of the last 812 labels."
    assert found.fields["seconds_per_label"].help_text == said
    assert found.is_valid()
    assert found.cleaned_data == {"budget": 160}


def test_a_pace_too_fast_for_people_is_not_offered() -> None:
    """Labels by a script of somebody's, sent by the API: no budget is divided by nothing."""
    pace.measured_by(lambda: MeasuredPace(seconds=0.01, labels=812))
    found = form(unit="hours", hours="2")
    assert said(found) == {"seconds_per_label": "Say how many seconds a label takes."}
    assert found.fields["seconds_per_label"].help_text == NOTHING_MEASURED


def test_the_measured_pace_can_be_overwritten() -> None:
    pace.measured_by(lambda: MeasuredPace(seconds=45, labels=812))
    found = form(unit="hours", hours="2", seconds_per_label="90")
    assert found.is_valid()
    assert found.cleaned_data == {"budget": 80}


def test_numbers_are_said_as_they_were_typed() -> None:
    said = [number_in_words(one) for one in (400.0, 0.8, 0.125, 1200.5, 0.000001)]
    assert said == ["400", "0.8", "0.125", "1,200.5", "0.000001"]


# On the page and at the terminal


@pytest.mark.django_db
def test_the_page_says_the_number_while_it_is_typed(people: People) -> None:
    admin: Client = people.client(people.admin)
    assert admin.get("/designs/new/budget/", MONEY).content.decode().endswith("that is 500 labels.")
    assert admin.get("/designs/new/budget/", MONEY | {"price": ""}).content == b""  # still typing
    few = admin.get("/designs/new/budget/", MONEY | {"money": "0.5"}).content.decode()
    assert few == "0.5 at 0.8 a label: that pays for no label. Raise it."
    assert admin.get("/designs/new/budget/", {"unit": "labels", "budget": "5"}).content == b""


@pytest.mark.django_db
def test_a_design_stores_the_number_alone(pool: Pool, people: People) -> None:
    fields = {"pool": pool.pk, "name": "paid", "strategy": "trace"}
    admin = people.client(people.admin)
    admin.post("/designs/new/", fields | MONEY | {"money": "16"})
    assert Design.objects.get(name="paid").budget == 20
    page = admin.post("/designs/new/", fields | MONEY | {"name": "much"}).content.decode()
    assert "The pool has 100 pairs; ask for no more." in page
    assert "400 at 0.8 a label: that is 500 labels." in page
    assert Design.objects.filter(name="much").count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "budget"),
    [
        (["--budget=20"], 20),
        (["--money=16", "--price=0.80"], 20),
        (["--money=6", "--price=24", "--priced-by=hour", "--seconds-per-label=45"], 20),
        (["--hours=0.25", "--seconds-per-label=45"], 20),
    ],
)
def test_the_command_takes_the_same(pool: Pool, options: list[str], budget: int) -> None:
    call_command("design_pairs", "pool", "--name=d", *options)
    assert Design.objects.get().budget == budget


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--money=16"], "--price: Say what a label, or an hour of work, costs."),
        (["--hours=1"], "--seconds-per-label: Say how many seconds a label takes."),
        (["--hours=x", "--seconds-per-label=45"], "--hours: Enter a number."),
        (["--money=16", "--budget=20"], "not allowed with argument"),
        ([], "one of the arguments --budget --money --hours is required"),
    ],
)
def test_the_command_says_what_is_wrong(pool: Pool, options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said.replace("|", ".")):
        call_command("design_pairs", "pool", "--name=d", *options)
    assert Design.objects.count() == 0
