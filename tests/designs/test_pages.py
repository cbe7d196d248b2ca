"""The pages of designs: the receipt with its curve, the list, and choosing again."""

import html
import re
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pairselect.designs.actions import create_design
from pairselect.designs.models import Design, KnownLabel
from pairselect.jobs.models import Job
from pairselect.pools.models import Pool
from tests.conftest import People, make_pool, run_queued_jobs
from tests.designs.conftest import design, give_features, give_scores

pytestmark = [pytest.mark.django_db, pytest.mark.page]


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def curve(page: str) -> ElementTree.Element:
    """The chart of the page, as XML: so it is well-formed too."""
    found = re.search(r'<svg class="chart curve".*?</svg>', page, re.DOTALL)
    assert found is not None
    return ElementTree.fromstring(found.group())


def numbers(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (point.split(",") for point in line.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


# The receipt


def test_the_page_draws_the_curve_with_a_mark_at_the_budget(pool: Pool, admin: Client) -> None:
    found = design()
    page = admin.get(f"/designs/{found.pk}/").content.decode()
    chart = curve(page)
    uniform, designed = (numbers(line) for line in chart.iter("polyline"))
    facts = found.diagnostics["curve"]
    seen = [n for n in facts["uniform_budgets"] if n >= facts["budgets"][0]]
    assert (len(designed), len(uniform)) == (len(facts["budgets"]), len(seen))
    assert designed == sorted(designed)  # to the right and down: more labels, less loss
    assert uniform == sorted(uniform)
    mark = next(one for one in chart.iter("path") if one.attrib["class"] == "now")
    x = float(mark.attrib["d"].split()[0].removeprefix("M"))
    assert x == pytest.approx(designed[facts["budgets"].index(20)][0], abs=0.1)
    dots = [one for one in chart.iter("circle") if one.attrib["class"].startswith("dot")]
    assert dots[0].attrib["cy"] == dots[1].attrib["cy"]  # the same loss
    labels = [one.text for one in chart.iter("text")]
    assert "your 20" in labels
    assert f"{round(found.worth or 0)} random" in labels
    title, described = (chart.find(name) for name in ("title", "desc"))
    assert title is not None
    assert described is not None
    assert chart.attrib["aria-labelledby"] == f"{title.attrib['id']} {described.attrib['id']}"
    assert not any("style" in one.attrib for one in chart.iter())


def test_the_curve_is_drawn_alike_in_a_language_with_decimal_commas(
    pool: Pool, admin: Client
) -> None:
    address = f"/designs/{design().pk}/"
    english, german = (
        list(curve(admin.get(address, headers={"accept-language": code}).content.decode()).iter())
        for code in ("en", "de")
    )
    assert [one.attrib for one in english] == [one.attrib for one in german]
    said = [one.text for one in german]
    assert "Ihre 20" in said
    assert "100\u00a0%" in said
    assert "100%" in [one.text for one in english]


def test_the_numbers_of_the_curve_are_in_a_table(pool: Pool, admin: Client) -> None:
    found = design()
    page = text(admin, f"/designs/{found.pk}/")
    table = page[page.index("The curve in numbers") :].partition("</details>")[0]
    rows = re.findall(r'<th scope="row" class="num">([\d,]+)</th>', table)
    assert [int(row) for row in rows] == found.diagnostics["curve"]["budgets"]
    assert '<tr class="own"><th scope="row" class="num">20</th>' in table


def test_words_come_before_figures(pool: Pool, admin: Client) -> None:
    found = design("--random-share=20", "--seed=7")
    page = words(text(admin, f"/designs/{found.pk}/"))
    assert page.index("random ones.") < page.index("Objective Φ")
    assert "As far as the features see what people judge" in page
    for said in ("Lower bound", "Near-duplicates", "Length", "Ridge", "Prompts", "20 % 4 pairs"):
        assert said in page
    assert "Seed 7" in page


def test_what_the_prediction_leaves_out_is_said(pool: Pool, admin: Client) -> None:
    give_scores(pool)
    said = "by a measure that does not count scores."
    assert said in text(admin, f"/designs/{design('--strategy=trace_gap').pk}/")
    assert said not in text(admin, f"/designs/{design(name='pure').pk}/")


def test_the_outcome_is_in_words_for_people(pool: Pool, admin: Client) -> None:
    found, rule = design(), design("--strategy=k_center", name="rule")
    assert f"Outcome Converged {found.message}" in words(text(admin, f"/designs/{found.pk}/"))
    assert f"Outcome By its rule {rule.message}" in words(text(admin, f"/designs/{rule.pk}/"))


def test_the_columns_of_the_queue_are_explained(pool: Pool, admin: Client) -> None:
    page = text(admin, f"/designs/{design().pk}/")
    assert 'aria-describedby="queue-legend"' in page
    legend = words(page[page.index('id="queue-legend"') :])
    for said in ("One and Other are", "d e : how fast", "‖g‖: how far", "P(chosen): the chance"):
        assert said in legend


def test_the_queue_shows_the_control(pool: Pool, admin: Client) -> None:
    mixed, pure = design("--random-share=20"), design(name="pure")
    page = text(admin, f"/designs/{mixed.pk}/")
    assert (page.count(">at random</span>"), page.count(">by design</td>")) == (4, 16)
    page = text(admin, f"/designs/{pure.pk}/")
    assert (page.count(">at random</span>"), page.count(">by design</td>")) == (0, 0)


def test_too_few_pairs_are_said_and_not_measured(pool: Pool, admin: Client) -> None:
    found = design("--prior-sd=none", budget=1)
    page = text(admin, f"/designs/{found.pk}/")
    said = words(page)
    assert "Too few labels to say what they will bring." in said
    assert found.message in said
    assert "1 pair of pool" in said
    assert "Gap" not in said
    assert "Lower bound" not in said
    assert "<polyline" not in page


def test_the_page_costs_the_same_for_a_long_queue(pool: Pool, admin: Client) -> None:
    short, long = design(budget=6), design(budget=90, name="long")
    assert queries(admin, f"/designs/{short.pk}/") <= queries(admin, f"/designs/{long.pk}/")
    assert queries(admin, f"/designs/{long.pk}/") == 10


# The list


def test_rows_of_the_list_compare(pool: Pool, admin: Client) -> None:
    small, large = design("--dimension=3"), design("--dimension=6", name="large")
    few = design("--prior-sd=none", budget=1, name="few")
    control = design("--strategy=uniform", name="control")
    page = words(text(admin, "/designs/"))
    assert page.index("control") < page.index("few") < page.index("large")  # newest first
    for found in (small, large):
        assert f"{found.name} pool trace 20 {round(found.worth or 0)} Solved" in page
    assert "Φ" not in page  # of different budgets it cannot be compared
    assert f"{few.name} pool trace 1 too few pairs to tell Solved" in page
    small.diagnostics["curve"]["worth"] = 0.3
    small.save()
    assert f"{small.name} pool trace 20 less than one " in words(text(admin, "/designs/"))
    assert f"{control.name} pool uniform 20 random: the control" in page


def test_the_list_costs_the_same_with_three(pool: Pool, admin: Client) -> None:
    design()
    assert queries(admin, "/designs/") == 7  # two of them count: the shown, and the archived
    design(name="b")
    design(name="c")
    assert queries(admin, "/designs/") == 7


def test_archived_designs_are_apart_and_not_offered(pool: Pool, admin: Client) -> None:
    kept, away = design(name="kept"), design(name="away")
    Design.objects.filter(pk=away.pk).update(archived_at=away.solved_at)
    here, there = words(text(admin, "/designs/")), words(text(admin, "/designs/?archived"))
    assert (kept.name in here, "away" in here, "1 archived" in here) == (True, False, True)
    assert ("away" in there, kept.name in there) == (True, False)
    offered = text(admin, "/campaigns/new/")
    assert ">kept</option>" in offered
    assert ">away</option>" not in offered
    Pool.objects.filter(pk=pool.pk).update(archived_at=away.solved_at)
    assert ">pool</option>" not in text(admin, "/designs/new/")


# Choosing again


def failed(pool: Pool) -> Design:
    found = create_design(
        pool, name="failed", budget=5000, strategy="trace", method="exact",
        feature_kind="mean_middle", random_share=0.1,
    )  # fmt: skip
    Job.objects.create(kind="solve_design", subject_id=found.pk, status="queued")
    run_queued_jobs()
    return found


def test_a_failed_design_is_chosen_again_and_not_opened(pool: Pool, admin: Client) -> None:
    found = failed(pool)
    page = text(admin, f"/designs/{found.pk}/")
    assert "The budget is 5000 but the pool has 100 pairs" in page
    assert "Try again" in page
    assert f'href="/designs/{found.pk}/again/"' in page
    assert "Open a campaign" not in page
    form = text(admin, f"/designs/{found.pk}/again/")
    assert 'value="failed"' in form
    assert 'value="5000"' in form
    assert 'value="10.0"' in form


def test_a_failed_design_is_not_offered_to_a_campaign(pool: Pool, admin: Client) -> None:
    failed(pool)
    design(name="solved")
    page = text(admin, "/campaigns/new/")
    assert ">solved</option>" in page
    assert ">failed</option>" not in page


def test_a_failed_design_gives_its_name_to_the_next_try(pool: Pool, admin: Client) -> None:
    found = failed(pool)
    fields = {"pool": pool.pk, "name": "failed", "budget": 10, "strategy": "trace"}
    response = admin.post(f"/designs/{found.pk}/again/", fields)
    assert response.headers["Location"] == f"/designs/{found.pk}/"
    run_queued_jobs()
    found.refresh_from_db()
    assert (found.budget, found.random_share, found.pairs.count()) == (10, 0.0, 10)


def test_a_solved_design_is_chosen_again_under_another_name(pool: Pool, admin: Client) -> None:
    found = design()
    assert 'name="name" maxlength="100" required' in text(admin, f"/designs/{found.pk}/again/")
    fields = {"pool": pool.pk, "name": "d", "budget": 10, "strategy": "trace"}
    page = html.unescape(admin.post(f"/designs/{found.pk}/again/", fields).content.decode())
    assert "There is a design named “d” with other settings" in page
    admin.post(f"/designs/{found.pk}/again/", fields | {"name": "other"})
    assert set(Design.objects.values_list("name", "budget")) == {("d", 20), ("other", 10)}


def test_a_round_chosen_again_keeps_its_labels(pool: Pool, admin: Client) -> None:
    first = design()
    pairs = list(first.pairs.all()[:6])
    labels = [KnownLabel(first=p.first, second=p.second, preference=p.pk % 2) for p in pairs]
    settings = {"budget": 8, "strategy": "trace", "method": "exact", "feature_kind": "mean_middle"}
    old = create_design(pool, name="round", after=first, labels=labels, **settings)
    page = text(admin, f"/designs/{old.pk}/again/")
    assert 'name="pool"' not in page
    assert '"fitted"' in page
    fields = {"name": "other", "budget": 9, "strategy": "max_gap", "target": "fitted"}
    admin.post(f"/designs/{old.pk}/again/", fields)
    run_queued_jobs()
    other = Design.objects.get(name="other")
    assert other.after == first
    assert other.known_labels.count() == old.known_labels.count() == 6
    assert other.pairs.count() == 9
    assert other.target == "fitted"


def test_a_design_from_before_the_diagnostics_still_has_its_receipt(
    pool: Pool, admin: Client
) -> None:
    found = design()
    Design.objects.filter(pk=found.pk).update(diagnostics={}, status="converged")
    page = words(text(admin, f"/designs/{found.pk}/"))
    assert "Lower bound" in page
    assert "random ones" not in page
    assert found.name in words(text(admin, "/designs/"))


def test_choosing_again_from_an_archived_pool_says_so(pool: Pool, admin: Client) -> None:
    first = design()
    following = create_design(
        pool=pool, name="following", budget=2, strategy="trace", after=first, labels=[]
    )
    Pool.objects.update(archived_at=first.solved_at)
    said = "The pool “pool” is archived: bring it back to choose from it."
    entry = {"unit": "labels", "budget": "3", "strategy": "trace", "name": "again"}
    for one in (first, following):
        address = f"/designs/{one.pk}/again/"
        assert said in words(text(admin, address))
        sent = entry | ({"pool": str(pool.pk)} if one is first else {})
        assert words(html.unescape(admin.post(address, sent).content.decode())).count(said) == 1
    sent = html.unescape(admin.post("/designs/new/", entry | {"pool": pool.pk}).content.decode())
    assert said in sent
    assert Design.objects.count() == 2


@pytest.mark.parametrize("number", [1, 2])
def test_a_form_begins_with_what_there_is_no_choice_of(
    number: int, pool: Pool, admin: Client
) -> None:
    """The only prompt set, pool and design; of two neither."""
    design()
    if number == 2:
        give_features(make_pool(10, 5, name="another"))
        call_command("design_pairs", "another", "--name=e", "--budget=20")
    for address in ("/pools/new/", "/designs/new/", "/campaigns/new/"):
        page = text(admin, address)
        found = re.findall(r'<option value="(\d*)" selected>', page)
        assert (found[0] != "") is (number == 1), address
