"""Plans: what the form predicts before a design is saved, and what the design then keeps."""

import html
import re
from io import StringIO
from typing import Any

import numpy as np
import orjson
import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pairselect.core import STRATEGIES
from pairselect.designs import planning
from pairselect.designs.actions import create_design
from pairselect.designs.models import PRIOR_SD, Design, KnownLabel, Plan
from pairselect.designs.planning import ask_plan, plan_design, planned_design, work_for_plan
from pairselect.designs.tidying import delete_design
from pairselect.designs.words import verdict
from pairselect.jobs.models import Job
from pairselect.pools.models import FeatureSet, Pool
from tests.conftest import NoProgress, People, make_pool, run_queued_jobs
from tests.designs.conftest import design, give_features, give_scores

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
SETTINGS = {
    "budget": 20, "strategy": "trace", "method": "exact", "feature_kind": "mean_middle",
    "target": "samples", "ridge": 1e-3, "keep": 0.3, "random_share": 0.0, "seed": 0,
    "max_per_prompt": None, "dimension": None, "prior_sd": PRIOR_SD,
}  # fmt: skip


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def fields(pool: Pool, **more: object) -> dict[str, object]:
    return {"pool": pool.pk, "budget": 20, "strategy": "trace", "predict": "1"} | more


def words(page: bytes) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.decode())).split())


def planned(pool: Pool, **more: object) -> Plan:
    plan = ask_plan(pool, **(SETTINGS | more))  # type: ignore[arg-type]
    plan_design(plan.pk, NoProgress())  # type: ignore[arg-type]
    plan.refresh_from_db()
    return plan


def strategies(plan: Plan) -> dict[str, dict[str, float]]:
    return {row["name"]: row for row in plan.results["strategies"]}


# What is predicted


@pytest.mark.parametrize("strategy", ["trace", "trace_gap", "uniform", "k_center"])
def test_the_design_keeps_what_the_plan_predicts(pool: Pool, strategy: str) -> None:
    give_scores(pool)
    plan = planned(pool, strategy=strategy, random_share=0.1)
    saved = design(f"--strategy={strategy}", "--random-share=10")
    guess = planned_design(plan)
    assert guess.objective == saved.objective
    assert guess.lower_bound == saved.lower_bound
    assert guess.diagnostics == saved.diagnostics
    assert verdict(guess) == verdict(saved)
    assert strategies(plan)[strategy]["without"] == saved.diagnostics["allocation"]["without"]


def test_the_strategies_stand_side_by_side(pool: Pool) -> None:
    give_scores(pool)
    found = strategies(planned(pool))
    assert set(found) == set(STRATEGIES)
    for name in ("k_center", "trace_gap", "max_gap", "d_optimal"):
        saved = design(f"--strategy={name}", name=name)
        assert found[name]["objective"] == pytest.approx(saved.objective)
        assert found[name]["without"] == saved.diagnostics["allocation"]["without"]
        assert found[name]["seconds"] > 0
    assert found["trace"]["objective"] == min(row["objective"] for row in found.values())
    assert found["uniform"]["worth"] == 20
    assert found["trace"]["worth"] > 25
    # A larger Φ is worth fewer random labels.
    rivals = [row for row in found.values() if row["name"] != "uniform"]
    rivals.sort(key=lambda row: row["objective"])
    worths = [row["worth"] for row in rivals]
    assert worths == sorted(worths, reverse=True)


def test_strategies_that_cannot_run_are_left_out(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MANY_PAIRS", 99)
    plan = planned(pool)
    assert set(strategies(plan)) == {
        "trace", "d_optimal", "uniform", "first_two", "reference_weighted",
    }  # fmt: skip
    assert plan.results["slow"] == ["trace_vertex", "k_center"]
    asked = planned(pool, strategy="k_center")
    assert "k_center" in strategies(asked)  # the one asked for is predicted, slow or not


def test_a_plan_stores_no_design(pool: Pool) -> None:
    planned(pool)
    assert Design.objects.count() == 0


# When there is a plan already


def test_the_same_settings_are_planned_once(pool: Pool, people: People) -> None:
    first = planned(pool)
    again = ask_plan(pool, **SETTINGS)  # type: ignore[arg-type]
    assert again.pk == first.pk
    assert work_for_plan(again) == []
    other = ask_plan(pool, created_by=people.admin, **SETTINGS)  # type: ignore[arg-type]
    assert other.pk != first.pk
    assert other.results == first.results
    assert work_for_plan(other) == []
    larger = ask_plan(pool, **(SETTINGS | {"budget": 21}))  # type: ignore[arg-type]
    assert work_for_plan(larger) == [("plan_design", larger.pk)]


def test_new_features_need_a_new_plan(pool: Pool) -> None:
    first = planned(pool)
    old = FeatureSet.objects.get()
    FeatureSet.objects.create(
        pool=pool, model="another", kind=old.kind, dimension=6, completed_at=old.completed_at
    )
    again = ask_plan(pool, **SETTINGS)  # type: ignore[arg-type]
    assert again.pk != first.pk
    assert again.results == {}


def test_new_scores_need_a_new_plan(pool: Pool) -> None:
    first = planned(pool)
    assert "max_gap" not in strategies(first)
    give_scores(pool)
    again = planned(pool)
    assert again.pk != first.pk
    assert set(strategies(again)) == set(STRATEGIES)


def test_a_plan_made_while_it_is_asked_for_again_is_kept(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_plan(pool, **SETTINGS)  # type: ignore[arg-type]
    save = Plan.save

    def late(plan: Plan, **how: Any) -> None:
        """A worker ends between the look at the plan and its new form."""
        plan_design(plan.pk, NoProgress())  # type: ignore[arg-type]
        save(plan, **how)

    monkeypatch.setattr(Plan, "save", late)
    again = ask_plan(pool, entry={"budget": "20"}, **SETTINGS)  # type: ignore[arg-type]
    again.refresh_from_db()
    assert again.asked["entry"] == {"budget": "20"}
    assert again.completed_at is not None
    assert "trace" in strategies(again)


def test_plans_of_a_next_round_go_with_the_design_before_it(pool: Pool, admin: Client) -> None:
    first, kept = design(budget=12), ask_plan(pool, **SETTINGS)  # type: ignore[arg-type]
    plans = [ask_plan(pool, after=first, **(SETTINGS | {"budget": n})) for n in (8, 9)]  # type: ignore[arg-type]
    plan_design(plans[0].pk, NoProgress())  # type: ignore[arg-type]
    delete_design(first)
    for plan in plans:
        assert admin.get(f"/designs/new/?plan={plan.pk}").status_code == 200
    plan_design(plans[1].pk, NoProgress())  # type: ignore[arg-type] # nothing to do
    assert list(Plan.objects.all()) == [kept]


def test_only_the_last_plans_are_kept(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "KEPT", 2)
    plans = [ask_plan(pool, **(SETTINGS | {"budget": n})) for n in (5, 6)]  # type: ignore[arg-type]
    Job.objects.create(kind="plan_design", subject_id=plans[0].pk, status="queued")
    plans += [ask_plan(pool, **(SETTINGS | {"budget": n})) for n in (7, 8)]  # type: ignore[arg-type]
    kept = set(Plan.objects.values_list("pk", flat=True))
    assert kept == {plans[0].pk, plans[2].pk, plans[3].pk}  # the first is being made
    plan_design(plans[1].pk, NoProgress())  # type: ignore[arg-type] # forgotten: nothing to do


def test_a_plan_waits_for_the_features_of_its_pool(people: People) -> None:
    bare = make_pool(prompts=4)
    plan = ask_plan(bare, **SETTINGS)  # type: ignore[arg-type]
    feature_set = bare.feature_sets.get_or_create(model=bare.model, kind="mean_middle")[0]
    assert work_for_plan(plan) == [("extract_features", feature_set.pk), ("plan_design", plan.pk)]


# On the page


def test_predict_shows_the_plan_beside_the_form(pool: Pool, admin: Client) -> None:
    give_scores(pool)
    sent = fields(pool, name="later", max_per_prompt=3, strategy="trace_gap", random_share=10)
    response = admin.post("/designs/new/", sent)
    plan = Plan.objects.get()
    assert response.headers["Location"] == f"/designs/new/?plan={plan.pk}#plan"
    waiting = admin.get(f"/designs/new/?plan={plan.pk}").content.decode()
    assert f'hx-get="/designs/plans/{plan.pk}/" hx-trigger="every 1s"' in waiting
    assert "Predicting what labels bring" in waiting
    run_queued_jobs()
    page = admin.get(f"/designs/new/?plan={plan.pk}").content
    assert b'hx-trigger="every' not in page
    plan.refresh_from_db()
    said = words(page)
    assert verdict(planned_design(plan)) in said
    without = strategies(plan)["trace_gap"]["without"]
    assert f"{without} of 10 prompts" in said or "Every prompt gets a pair." in said
    assert "The curve in numbers" in said
    for name in STRATEGIES:
        assert name.replace("_", " ") in said
    # Nothing is to be typed twice.
    text = page.decode()
    assert 'name="name" value="later"' in text
    assert 'name="max_per_prompt" value="3"' in text
    assert re.search(r'value="trace_gap"[^>]*checked', text)
    assert '<details class="more" open>' in text  # the cap is among the settings that few touch


def test_the_settings_go_into_the_design_unchanged(pool: Pool, admin: Client) -> None:
    sent = fields(pool, name="d", max_per_prompt=3, dimension=5, seed=7, target="policy")
    sent["prior_sd"] = ""  # as a browser sends what was emptied
    admin.post("/designs/new/", sent)
    run_queued_jobs()
    plan = Plan.objects.get()
    page = admin.get(f"/designs/new/?plan={plan.pk}").content.decode()
    form = dict(re.findall(r'<input type="(?:number|text)" name="(\w+)" value="([^"]*)"', page))
    chosen = dict(re.findall(r'<select name="(\w+)".*?value="(\w+)" selected', page, re.DOTALL))
    radios = dict(re.findall(r'<input type="radio" name="(\w+)" value="(\w+)"[^>]* checked', page))
    response = admin.post(f"/designs/new/?plan={plan.pk}", form | chosen | radios)
    assert response.status_code == 302, words(response.content)
    run_queued_jobs()
    saved = Design.objects.get(name="d")
    asked = planned_design(plan)
    for name in plan.asked["settings"]:
        assert getattr(saved, name) == getattr(asked, name), name
    assert saved.objective == asked.objective
    assert saved.diagnostics == asked.diagnostics


def test_htmx_gets_form_and_plan_and_then_the_plan_alone(pool: Pool, admin: Client) -> None:
    response = admin.post("/designs/new/", fields(pool), headers=HTMX)
    plan = Plan.objects.get()
    assert response.headers["HX-Replace-Url"] == f"/designs/new/?plan={plan.pk}"
    part = response.content.decode()
    assert "<html" not in part
    assert 'id="choose"' in part
    assert '<p id="plan-status" hx-swap-oob="innerHTML">Predicting …</p>' in part
    polled = admin.get(f"/designs/plans/{plan.pk}/", headers=HTMX).content.decode()
    assert 'id="choose"' not in polled  # a half-filled form stays as it is
    assert 'hx-trigger="every 1s"' in polled
    assert "plan-status" not in polled  # each second would be too often
    run_queued_jobs()
    done = admin.get(f"/designs/plans/{plan.pk}/", headers=HTMX).content.decode()
    assert 'hx-trigger="every 1s"' not in done
    assert '<p id="plan-status" hx-swap-oob="innerHTML">Predicted. Your 20 labels' in done
    assert admin.get(f"/designs/plans/{plan.pk}/").headers["Location"].startswith("/designs/new/?")


def test_predicting_needs_no_name_and_choosing_does(pool: Pool, admin: Client) -> None:
    assert admin.post("/designs/new/", fields(pool)).status_code == 302
    sent = fields(pool)
    del sent["predict"]
    assert "This field is required." in words(admin.post("/designs/new/", sent).content)
    assert (Plan.objects.count(), Design.objects.count()) == (1, 0)


def test_what_is_wrong_is_shown_and_nothing_planned(pool: Pool, admin: Client) -> None:
    said = "The pool has 100 pairs; ask for no more."
    for headers in ({}, HTMX):
        page = admin.post("/designs/new/", fields(pool, budget=5000), headers=headers).content
        assert said in words(page)
    assert "Not predicted: the form says what is wrong." in words(page)
    assert Plan.objects.count() == Job.objects.count() == 0


def test_a_plan_that_fails_says_why_and_can_be_tried_again(pool: Pool, admin: Client) -> None:
    admin.post("/designs/new/", fields(pool, max_per_prompt=1, budget=10))
    plan = Plan.objects.get()
    Plan.objects.filter(pk=plan.pk).update(
        asked=plan.asked | {"settings": plan.asked["settings"] | {"budget": 5000}}
    )
    run_queued_jobs()
    said = words(admin.get(f"/designs/new/?plan={plan.pk}").content)
    assert "The budget is 5000" in said
    assert "Try again" in said
    polled = admin.get(f"/designs/plans/{plan.pk}/", headers=HTMX).content.decode()
    assert "Not predicted." in polled
    assert "hx-trigger" not in polled


def test_few_labels_are_not_measured(pool: Pool, admin: Client) -> None:
    admin.post("/designs/new/", fields(pool, budget=1))
    run_queued_jobs()
    plan = Plan.objects.get()
    page = admin.get(f"/designs/new/?plan={plan.pk}").content
    assert "Too few labels to say what they will bring." in words(page)
    assert b"<polyline" not in page


def test_a_plan_that_is_gone_leaves_the_form(pool: Pool, admin: Client) -> None:
    for number in ("999", "x", "9" * 30, "²", ""):
        response = admin.get("/designs/new/", {"plan": number})
        assert response.status_code == 200
        assert b'id="plan"' not in response.content
    assert admin.get("/designs/plans/999/").status_code == 404


def test_a_plan_of_a_next_round_is_shown_on_its_page_alone(pool: Pool, admin: Client) -> None:
    before = design()
    plan = planned(pool, after=before)
    assert 'id="plan"' not in admin.get(f"/designs/new/?plan={plan.pk}").content.decode()
    again = f"/designs/{before.pk}/again/?plan={plan.pk}"
    assert 'id="plan"' not in admin.get(again).content.decode()
    own = planned(pool)
    assert 'id="plan"' in admin.get(f"/designs/new/?plan={own.pk}").content.decode()


def test_choosing_again_predicts_with_the_labels_of_its_round(pool: Pool, admin: Client) -> None:
    first = design()
    labels = [
        KnownLabel(first=p.first, second=p.second, preference=p.pk % 2)
        for p in first.pairs.all()[:12]
    ]
    old = create_design(
        pool, name="round", after=first, labels=labels, budget=8, strategy="trace",
        method="exact", feature_kind="mean_middle",
    )  # fmt: skip
    admin.post(f"/designs/{old.pk}/again/", {"budget": 8, "strategy": "trace", "predict": "1"})
    run_queued_jobs()
    plan = Plan.objects.get()
    assert len(plan.asked["labels"]) == 12
    page = words(admin.get(f"/designs/{old.pk}/again/?plan={plan.pk}").content)
    assert "Beside the 12 labels that you have, 8 more are worth" in page
    found = planned_design(plan)
    assert found.after == first
    # The fitted reward scores every completion, for all but those that want another's scores.
    assert set(strategies(plan)) == {name for name, one in STRATEGIES.items() if not one.outside}
    admin.post(f"/designs/{old.pk}/again/", {"name": "next", "budget": 8, "strategy": "trace"})
    run_queued_jobs()
    saved = Design.objects.get(name="next")
    assert saved.objective == found.objective


def test_the_page_costs_the_same_for_a_plan_of_a_larger_pool(pool: Pool, admin: Client) -> None:
    large = make_pool(prompts=40, completions=5, name="large")
    give_features(large)
    counts = []
    for one in (planned(pool), planned(large)):
        admin.get(f"/designs/new/?plan={one.pk}")
        with CaptureQueriesContext(connection) as found:
            assert admin.get(f"/designs/new/?plan={one.pk}").status_code == 200
        counts.append(len(found))
    assert counts[0] == counts[1]


# At the terminal


def test_the_command_predicts(pool: Pool) -> None:
    give_scores(pool)
    out = StringIO()
    call_command("predict_pairs", "pool", "--budget=20", stdout=out)
    plan = Plan.objects.get()
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(verdict(planned_design(plan)))
    assert f"{strategies(plan)['trace']['without']:,.0f} of 10 prompts without a pair." in lines[0]
    assert [line.split()[0] for line in lines[-len(STRATEGIES) :]] == sorted(
        STRATEGIES, key=lambda name: strategies(plan)[name]["objective"]
    )


def test_the_command_answers_in_json(pool: Pool) -> None:
    out = StringIO()
    call_command("predict_pairs", "pool", "--money=16", "--price=0.8", "--json", stdout=out)
    found = orjson.loads(out.getvalue())
    assert found["budget"] == 20
    assert found["worth"] > 20
    assert found["prompts"] == 10
    assert {row["name"] for row in found["strategies"]} >= {"trace", "uniform"}
    assert np.isfinite(found["objective"])
