"""Renaming, archiving and deleting by pages: what goes, what stays, and who may."""

import html
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from annotate.gold import add_gold, gold_pair
from annotate.models import Campaign, Comparison, Export, Flag, Gold, Judgement
from pairselect.designs.models import Design, SelectedPair
from pairselect.jobs.models import Job
from pairselect.kinds import KINDS
from pairselect.pools.models import (
    Completion,
    FeatureSet,
    Pool,
    Prompt,
    PromptSet,
    Score,
    ScoreSet,
    Upload,
)
from pairselect.pools.removing import delete_pool
from pairselect.pools.storage import features_folder
from pairselect.pools.tidying import StillNeeded
from pairselect.trail.models import Entry
from tests.conftest import (
    NoProgress,
    People,
    give,
    make_campaign,
    make_design,
    make_pool,
    run_queued_jobs,
)
from tests.pools.support import GOOD, PROMPTS, confirm, send

TIDIED = ("renamed", "archived", "restored", "deleted", "deletion.asked")


@pytest.fixture
def admin(people: People) -> Client:
    return people.client(people.admin)


def at(what: str, pk: int, verb: str) -> str:
    return f"/manage/{what}/{pk}/{verb}/"


def said(client: Client, address: str, **data: str) -> str:
    return html.unescape(client.post(address, data, follow=True).content.decode())


def page(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


# Names


@pytest.mark.parametrize("what", ["prompt-set", "pool", "design", "campaign"])
def test_it_gets_another_name(people: People, admin: Client, what: str) -> None:
    campaign = make_campaign(people.anna)
    rows: dict[str, PromptSet | Pool | Design | Campaign] = {
        "prompt-set": campaign.design.pool.prompt_set,
        "pool": campaign.design.pool,
        "design": campaign.design,
        "campaign": campaign,
    }
    row = rows[what]
    shown = said(admin, at(what, row.pk, "rename"), name="  spring ")
    assert "“campaign” is now called “spring”." in shown
    assert type(row)._default_manager.get(pk=row.pk).name == "spring"
    entry = Entry.objects.get(action="renamed")
    assert (entry.person_id, entry.subject_id) == (people.admin.pk, row.pk)
    assert entry.details == {"before": "campaign"}


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("other", "There is a pool named “other”. Choose another name."),
        ("", "A name has 1 to 100 printable characters."),
        ("x" * 101, "A name has 1 to 100 printable characters."),
        ("a\nb", "A name has 1 to 100 printable characters."),
    ],
)
def test_a_name_that_cannot_be_had_is_refused(admin: Client, name: str, refusal: str) -> None:
    pool = make_pool(name="pool")
    make_pool(name="other")
    assert refusal in said(admin, at("pool", pool.pk, "rename"), name=name)
    assert Pool.objects.get(pk=pool.pk).name == "pool"
    assert not Entry.objects.filter(action__in=TIDIED).exists()


def test_an_export_has_no_name_and_there_are_no_other_kinds(
    campaign: Campaign, admin: Client
) -> None:
    export = Export.objects.create(campaign=campaign, format="trl")
    assert admin.post(at("export", export.pk, "rename"), {"name": "x"}).status_code == 404
    assert admin.post(at("export", export.pk, "archive")).status_code == 404
    assert admin.get(at("user", 1, "delete")).status_code == 404
    assert admin.get(at("pool", 99999, "delete")).status_code == 404


# Archive


def test_what_is_archived_leaves_lists_and_forms_and_comes_back(admin: Client) -> None:
    pool, kept = make_pool(name="old-one"), make_pool(name="kept-one")
    for what, row in (("pool", pool), ("prompt-set", pool.prompt_set)):
        assert "is archived" in said(admin, at(what, row.pk, "archive"))
    for address in ("/pools/", "/prompts/", "/pools/new/", "/"):
        shown = page(admin, address)
        assert kept.name in shown, address
        assert "old-one" not in shown, address
    for address in ("/pools/", "/prompts/"):
        assert '<a href="?archived">1 archived</a>' in page(admin, address)
        away = page(admin, f"{address}?archived")
        assert "old-one" in away
        assert "kept-one" not in away
    assert "Bring back" in page(admin, f"/pools/{pool.pk}/")
    assert "is back." in said(admin, at("pool", pool.pk, "restore"))
    assert "old-one" in page(admin, "/pools/")
    tidied = Entry.objects.filter(action__in=TIDIED).order_by("pk")
    assert [entry.action for entry in tidied] == ["archived", "archived", "restored"]


def test_an_archived_pool_offers_no_next_step(admin: Client) -> None:
    pool = make_pool()
    FeatureSet.objects.create(
        pool=pool, model="m", kind="mean_middle", dimension=2, completed_at=timezone.now()
    )
    link = f'href="/designs/new/?pool={pool.pk}"'
    assert link in page(admin, f"/pools/{pool.pk}/")
    Pool.objects.update(completed_at=None)
    assert link not in page(admin, f"/pools/{pool.pk}/")
    Pool.objects.update(completed_at=timezone.now(), archived_at=timezone.now())
    assert link not in page(admin, f"/pools/{pool.pk}/")


def test_nobody_compares_in_an_archived_campaign(
    people: People, campaign: Campaign, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    anna = people.client(people.anna)
    assert campaign.name in page(anna, "/work/")
    admin.post(at("campaign", campaign.pk, "archive"))
    assert f'href="/work/{campaign.pk}/"' not in page(anna, "/work/")
    admin.post(at("campaign", campaign.pk, "restore"))
    assert f'href="/work/{campaign.pk}/"' in page(anna, "/work/")
    assert Judgement.objects.count() == 1


# Delete: what stands in the way


def test_what_something_stands_on_says_so_and_stays(people: People, admin: Client) -> None:
    campaign = make_campaign(people.anna, name="c")
    design, pool = campaign.design, campaign.design.pool
    after = Design.objects.create(
        name="round two", pool=pool, after=design, feature_kind="k", strategy="trace", budget=1
    )
    give(campaign, people.anna, "left")
    stays = {
        ("prompt-set", pool.prompt_set_id): [
            "Pools are made from it; delete those first:",
            f'<a href="/pools/{pool.pk}/">c</a>.',
        ],
        ("pool", pool.pk): [
            "Designs choose from it; delete those first:",
            f'<a href="/designs/{design.pk}/">c</a>, <a href="/designs/{after.pk}/">round two</a>.',
        ],
        ("design", design.pk): [
            f'delete those first: <a href="/campaigns/{campaign.pk}/">c</a>.',
            f"Next rounds were designed after it; delete those first: "
            f'<a href="/designs/{after.pk}/">round two</a>.',
        ],
        ("campaign", campaign.pk): [
            "It holds 1 answer, and no answer is ever deleted. Archive it instead."
        ],
    }
    for (what, pk), sentences in stays.items():
        address = at(what, pk, "delete")
        for shown in (page(admin, address), said(admin, address)):
            for sentence in [*sentences, "Archive it instead"]:
                assert sentence in shown
    assert (PromptSet.objects.count(), Pool.objects.count(), Campaign.objects.count()) == (1, 1, 1)
    assert (Design.objects.count(), Judgement.objects.count()) == (2, 1)
    assert not Entry.objects.filter(action__in=TIDIED).exists()


@pytest.mark.parametrize("choice", ["left", "skip"])
def test_no_answer_is_deleted_not_even_one_that_was_taken_back(
    people: People, campaign: Campaign, admin: Client, choice: str
) -> None:
    judgement = give(campaign, people.anna, choice)
    Judgement.objects.filter(pk=judgement.pk).update(withdrawn_at=timezone.now())
    said(admin, at("campaign", campaign.pk, "delete"))
    assert Campaign.objects.filter(pk=campaign.pk).exists()
    assert Judgement.objects.filter(pk=judgement.pk).exists()


def test_more_than_five_in_the_way_are_counted(admin: Client) -> None:
    pool = make_pool()
    Design.objects.bulk_create(
        Design(name=f"d{i}", pool=pool, feature_kind="k", strategy="trace", budget=1)
        for i in range(7)
    )
    shown = page(admin, at("pool", pool.pk, "delete"))
    assert "d4</a> and 2 more." in shown
    assert "d5" not in shown


@pytest.mark.parametrize("kind", ["generate_pool", "extract_features"])
def test_a_job_at_work_on_it_or_its_parts_is_in_the_way(admin: Client, kind: str) -> None:
    pool, other = make_pool(), make_pool(name="other")
    features = FeatureSet.objects.create(pool=pool, model="m", kind="k")
    subject = pool.pk if kind == "generate_pool" else features.pk
    job = Job.objects.create(kind=kind, subject_id=subject, status=Job.Status.QUEUED)
    assert "A job is at work on it; cancel it first:" in said(admin, at("pool", pool.pk, "delete"))
    assert Pool.objects.filter(pk=pool.pk).exists()
    said(admin, at("pool", other.pk, "delete"))
    assert not Pool.objects.filter(pk=other.pk).exists()
    Job.objects.filter(pk=job.pk).update(status=Job.Status.CANCELLED)
    said(admin, at("pool", pool.pk, "delete"))
    assert not Pool.objects.filter(pk=pool.pk).exists()


# Delete: what goes


def test_a_prompt_set_goes_with_its_prompts_and_its_file(admin: Client) -> None:
    upload = send(admin, GOOD)
    confirm(admin, upload, PROMPTS)
    run_queued_jobs()
    make_pool(name="kept")
    found = PromptSet.objects.get(name="mine")
    file = Path(Upload.objects.get().file.path)
    assert file.exists()
    shown = page(admin, at("prompt-set", found.pk, "delete"))
    assert "<li>2 prompts</li>" in shown
    assert "<li>the uploaded file p.jsonl, 36" in shown
    assert PromptSet.objects.filter(pk=found.pk).exists()
    response = admin.post(at("prompt-set", found.pk, "delete"))
    assert response.headers["Location"] == "/prompts/"
    assert [one.name for one in PromptSet.objects.all()] == ["kept"]
    assert Upload.objects.count() == 0
    assert not file.exists()
    assert Prompt.objects.count() == 3
    entry = Entry.objects.get(action="deleted")
    assert (entry.subject_name, entry.subject_id) == ("mine", found.pk)


def test_a_pool_goes_with_completions_scores_and_feature_files(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairselect.pools.removing.STEP", 4)  # nine completions: several steps
    pool, kept = make_pool(name="gone"), make_pool(name="kept")
    scores = ScoreSet.objects.create(pool=pool, name="s", source="reward", model="m")
    Score.objects.bulk_create(
        Score(score_set=scores, completion=one, value=1.0) for one in pool.completions.all()
    )
    folders = []
    for one in (pool, kept):
        features = FeatureSet.objects.create(pool=one, model="m", kind="k")
        folders.append(features_folder(features))
        folders[-1].mkdir(parents=True)
        (folders[-1] / "features.npy").write_bytes(b"x")
    shown = page(admin, at("pool", pool.pk, "delete"))
    for words in ("9 completions", "1 set of features, with its files", "1 set of scores"):
        assert f"<li>{words}</li>" in shown
    assert "“gone” is deleted." in said(admin, at("pool", pool.pk, "delete"))
    assert [one.name for one in Pool.objects.all()] == ["kept"]
    assert (Completion.objects.count(), Score.objects.count()) == (9, 0)
    assert [folder.exists() for folder in folders] == [False, True]
    assert PromptSet.objects.count() == 2


def test_a_design_goes_with_its_pairs_and_leaves_its_pool(admin: Client) -> None:
    design, kept = make_design(make_pool(name="a")), make_design(make_pool(name="b"))
    assert "<li>3 chosen pairs</li>" in page(admin, at("design", design.pk, "delete"))
    said(admin, at("design", design.pk, "delete"))
    assert list(Design.objects.all()) == [kept]
    assert SelectedPair.objects.count() == 3
    assert Pool.objects.count() == 2


def test_a_campaign_without_answers_goes_with_all_that_is_its_own(
    people: People, admin: Client, settings: object
) -> None:
    campaign, kept = make_campaign(people.anna, name="gone"), make_campaign(name="kept")
    row = {"prompt": "2 + 2?", "better": "4", "worse": "5", "use": "check"}
    add_gold(campaign, [(1, gold_pair(row))])
    Comparison.objects.create(
        campaign=campaign, kind="gold", gold=Gold.objects.get(), position=0,
        reserved_for=people.anna,
    )  # fmt: skip
    comparison = campaign.comparisons.filter(kind="label").first()
    Flag.objects.create(comparison=comparison, annotator=people.anna, kind="other")
    export = Export.objects.create(campaign=campaign, format="trl")
    folder = Path(settings.PAIRSELECT_DATA_DIR) / "exports"  # type: ignore[attr-defined]
    (folder / str(export.file)).mkdir(parents=True)
    shown = page(admin, at("campaign", campaign.pk, "delete"))
    for words in (
        "4 comparisons that nobody has answered",
        "1 gold pair",
        "1 flag",
        "1 export, with its files",
    ):
        assert f"<li>{words}</li>" in shown
    said(admin, at("campaign", campaign.pk, "delete"))
    assert list(Campaign.objects.all()) == [kept]
    assert Comparison.objects.count() == 3
    assert (Gold.objects.count(), Flag.objects.count(), Export.objects.count()) == (0, 0, 0)
    assert list(folder.glob(f"{export.file}*")) == []
    assert Design.objects.count() == 2


def test_an_export_goes_and_the_labels_stay(
    people: People, campaign: Campaign, admin: Client
) -> None:
    give(campaign, people.anna, "left")
    export = Export.objects.create(
        campaign=campaign, format="trl", row_count=1, completed_at=timezone.now()
    )
    assert "<li>1 row</li>" in page(admin, at("export", export.pk, "delete"))
    response = admin.post(at("export", export.pk, "delete"))
    assert response.headers["Location"].startswith(f"/campaigns/{campaign.pk}/")
    assert (Export.objects.count(), Judgement.objects.count()) == (0, 1)


def test_much_is_deleted_by_a_worker(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairselect.tidy_views.AT_ONCE", 5)
    pool = make_pool()
    assert "A worker deletes “pool”." in said(admin, at("pool", pool.pk, "delete"))
    assert Pool.objects.count() == 1
    assert "A worker deletes “pool”." in said(admin, at("pool", pool.pk, "delete"))
    assert Job.objects.get().kind == "delete_pool"
    run_queued_jobs()
    assert Job.objects.get().status == Job.Status.DONE
    assert (Pool.objects.count(), Completion.objects.count()) == (0, 0)


def test_a_worker_too_refuses_what_is_needed_by_then(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairselect.tidy_views.AT_ONCE", 5)
    pool = make_pool()
    admin.post(at("pool", pool.pk, "delete"))
    make_design(pool)
    run_queued_jobs()
    job = Job.objects.get()
    assert job.status == Job.Status.FAILED
    assert job.error == ("“pool” stays. Designs choose from it; delete those first: pool.")
    assert Completion.objects.count() == 9


def test_a_pool_that_is_made_again_meanwhile_keeps_what_is_there(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pairselect.pools.removing.STEP", 4)
    pool = make_pool()

    class Asked(NoProgress):
        def check(self) -> None:
            if Completion.objects.count() == 5:
                Job.objects.create(kind="generate_pool", subject_id=pool.pk, status="queued")

    with pytest.raises(StillNeeded):
        delete_pool(pool, Asked())  # type: ignore[arg-type]
    assert Completion.objects.count() == 5
    assert Pool.objects.get().completed_at is None  # those that are gone are generated


@pytest.mark.parametrize("what", ["prompt-set", "pool", "design", "campaign"])
def test_what_another_request_has_just_deleted_is_gone_all_the_same(
    admin: Client, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    campaign = make_campaign()
    rows = [campaign, campaign.design, campaign.design.pool, campaign.design.pool.prompt_set]
    for row in rows:
        kind = next(one for one in KINDS.values() if one.model is type(row))
        kind.delete(row, None)
        if kind.what == what:
            break
    monkeypatch.setattr("pairselect.tidy_views.get_object_or_404", lambda *_, **__: row)
    assert "“campaign” is deleted." in said(admin, at(what, row.pk, "delete"))


def test_annotators_change_nothing(people: People, campaign: Campaign) -> None:
    anna = people.client(people.anna)
    for verb in ("rename", "archive", "restore", "delete"):
        assert anna.post(at("campaign", campaign.pk, verb), {"name": "x"}).status_code == 403
    assert Campaign.objects.get(archived_at=None).name == "campaign"
