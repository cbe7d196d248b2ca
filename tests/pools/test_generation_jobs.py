"""Pools and features by a real (tiny) model: resumed, repeated, cancelled, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from pairselect.jobs.actions import enqueue_in_turn, last_job
from pairselect.jobs.progress import JobError, JobStopped
from pairselect.pools import actions, extracting, generating
from pairselect.pools.engine import features as engine_features
from pairselect.pools.models import Completion, FeatureSet, Pool, PromptSet
from pairselect.pools.queries import FEATURE_KINDS
from pairselect.pools.recipes import Recipe
from pairselect.pools.storage import features_folder, load_arrays
from tests.conftest import NoProgress, People, run_queued_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompts(tmp_path: Path) -> PromptSet:
    path = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"Say {'very ' * k}little"} for k in range(5)]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call_command("import_prompts", str(path), "--name", "prompts")
    return PromptSet.objects.get()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two prompts of three completions a window, and every completion stored as it ends."""
    monkeypatch.setattr(generating, "WINDOW", 6)
    monkeypatch.setattr(generating, "STORE_SECONDS", 0.0)
    monkeypatch.setattr(extracting, "CHUNK", 4)


def generate(model: str, name: str = "pool", *options: str) -> Pool:
    call_command(
        "generate_pool",
        "prompts",
        "--name",
        name,
        "--model",
        model,
        "--completions=3",
        "--max-new-tokens=8",
        *options,
    )
    return Pool.objects.get(name=name)


class StopAfter(NoProgress):
    """A worker that dies after so many reports of a finished step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def report(self, done: int, total: int, message: str = "") -> None:
        self.left -= 1
        if self.left < 0:
            raise JobStopped


def test_generate_pool_makes_every_completion_and_its_features(
    prompts: PromptSet, tiny_model: str
) -> None:
    pool = generate(tiny_model)
    assert pool.completed_at is not None
    assert pool.completions.count() == 15
    assert set(pool.completions.values_list("finish_reason", flat=True)) <= {"stop", "length"}
    assert pool.variants.get().fingerprint["weights"]
    feature_set = FeatureSet.objects.get()
    arrays, log_probs, counts = load_arrays(feature_set)
    assert arrays.shape == (15, feature_set.dimension) == (15, 32)
    assert np.isfinite(arrays).all()
    assert (log_probs <= 0).all()
    assert (counts >= 0).all()
    manifest = json.loads((features_folder(feature_set) / "manifest.json").read_text())
    assert (manifest["rows"], manifest["kind"]) == (15, "mean_middle")


def test_the_same_seed_gives_the_same_pool_and_another_another(
    prompts: PromptSet, tiny_model: str
) -> None:
    def texts(pool: Pool) -> list[str]:
        return list(pool.completions.order_by("prompt__position", "index").values_list("text"))

    one = texts(generate(tiny_model, "one", "--no-features"))
    same = texts(generate(tiny_model, "same", "--no-features"))
    other = texts(generate(tiny_model, "other", "--no-features", "--seed=1"))
    assert one == same
    assert one != other


@pytest.mark.usefixtures("small_steps")
def test_a_killed_generation_goes_on_and_repeats_nothing(
    prompts: PromptSet, tiny_model: str
) -> None:
    whole = generate(tiny_model, "whole", "--no-features")
    cut = actions.create_pool(
        prompts, name="cut", recipes=[Recipe(tiny_model)], completions=3, max_new_tokens=8
    )
    # Three reports before the first completion; the one that is stopped at is stored already.
    with pytest.raises(JobStopped):
        generating.generate_pool(cut.pk, StopAfter(10))  # type: ignore[arg-type]
    before = dict(cut.completions.values_list("pk", "created_at"))
    assert len(before) == 8
    call_command("generate_pool", "prompts", "--name=cut", f"--model={tiny_model}",
                 "--completions=3", "--max-new-tokens=8", "--no-features")  # fmt: skip
    after = dict(cut.completions.values_list("pk", "created_at"))
    assert len(after) == 15
    assert before.items() <= after.items()
    same = [
        list(pool.completions.order_by("prompt__position", "index").values_list("text"))
        for pool in (whole, cut)
    ]
    assert same[0] == same[1]


@pytest.mark.usefixtures("small_steps")
def test_a_killed_extraction_goes_on_and_repeats_nothing(
    prompts: PromptSet, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = generate(tiny_model, "pool", "--no-features")
    feature_set = actions.create_feature_set(pool)
    with pytest.raises(JobStopped):
        extracting.extract_features(feature_set.pk, StopAfter(3))  # type: ignore[arg-type]
    encoded: list[int] = []
    encode = engine_features.encode

    def counting(lm, items, *args, **kwargs):  # type: ignore[no-untyped-def]
        encoded.append(len(items))
        return encode(lm, items, *args, **kwargs)

    monkeypatch.setattr(engine_features, "encode", counting)
    extracting.extract_features(feature_set.pk, NoProgress())  # type: ignore[arg-type]
    assert sum(encoded) == 15 - 3 * 4  # three chunks of four were written before
    resumed, _, _ = load_arrays(feature_set)
    again = actions.create_feature_set(pool, model=tiny_model, kind="last_token")
    assert again.pk != feature_set.pk
    assert np.isfinite(resumed).all()
    assert (np.abs(resumed).sum(axis=1) > 0).all()


def test_prompts_longer_than_the_context_are_refused_before_anything_is_made(
    tmp_path: Path, tiny_model: str
) -> None:
    path = tmp_path / "long.jsonl"
    rows = [{"prompt": "short"}, {"prompt": "x" * 200}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call_command("import_prompts", str(path), "--name", "prompts")
    with pytest.raises(CommandError, match="1 of the prompts leave no room .* prompt 2 has"):
        generate(tiny_model)
    assert Completion.objects.count() == 0


def test_a_model_that_does_not_exist_is_said(prompts: PromptSet) -> None:
    with pytest.raises(CommandError, match="There is no folder /nowhere"):
        generate("/nowhere")
    with pytest.raises(CommandError, match="embedded:smollm2-135m"):
        generate("embedded:gpt-9")


def test_a_failed_pool_does_not_keep_its_name(prompts: PromptSet, tiny_model: str) -> None:
    with pytest.raises(CommandError):
        generate("/nowhere")
    assert generate(tiny_model).completed_at is not None


def test_a_pool_with_other_settings_keeps_its_name(prompts: PromptSet, tiny_model: str) -> None:
    generate(tiny_model, "pool", "--no-features")
    with pytest.raises(CommandError, match="There is a pool named “pool” with other settings"):
        generate(tiny_model, "pool", "--seed=9")
    assert Completion.objects.count() == 15


@pytest.mark.parametrize(
    ("option", "said"),
    [("--completions=1", "--completions"), ("--temperature=-1", "--temperature"),
     ("--top-p=0", "--top-p"), ("--max-new-tokens=0", "--max-new-tokens")],
)  # fmt: skip
def test_options_out_of_range_are_refused(
    prompts: PromptSet, tiny_model: str, option: str, said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        generate(tiny_model, "pool", option)
    assert Pool.objects.count() == 0


def test_a_pool_begun_with_another_revision_is_not_finished(
    prompts: PromptSet, tiny_model: str
) -> None:
    pool = actions.create_pool(
        prompts, name="old", recipes=[Recipe(tiny_model)], completions=3, max_new_tokens=8
    )
    variant = pool.variants.get()
    variant.fingerprint = {"weights": "other", "chat_template": "x"}
    variant.save()
    Completion.objects.create(
        pool=pool, variant=variant, prompt=prompts.prompts.all()[0], index=0, text="by the other"
    )
    with pytest.raises(JobError, match="begun with another revision"):
        generating.generate_pool(pool.pk, NoProgress())  # type: ignore[arg-type]


def test_features_by_both_names(prompts: PromptSet, tiny_model: str) -> None:
    generate(tiny_model)
    call_command("extract_features", "pool", "--kind=last_token")
    middle, last = (
        load_arrays(FeatureSet.objects.get(kind=kind))[0] for kind in ("mean_middle", "last_token")
    )
    assert not np.allclose(middle, last)


def test_every_kind_comes_from_one_pass(
    prompts: PromptSet, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tiny_model, "pool", "--no-features")
    passes: list[tuple[str, ...]] = []
    encode = engine_features.encode

    def counting(lm, items, kinds, **kwargs):  # type: ignore[no-untyped-def]
        passes.append(tuple(kinds))
        return encode(lm, items, kinds, **kwargs)

    monkeypatch.setattr(engine_features, "encode", counting)
    pool = Pool.objects.get()
    for kind in (*FEATURE_KINDS, "mean_layer_1"):
        actions.create_feature_set(pool, kind=kind)
    call_command("extract_features", "pool", "--kind", *FEATURE_KINDS, "mean_layer_1")
    assert [sorted(kinds) for kinds in passes] == [sorted([*FEATURE_KINDS, "mean_layer_1"])]
    sizes = {one.kind: load_arrays(one)[0].shape for one in FeatureSet.objects.all()}
    assert sizes == {
        "mean_middle": (15, 32), "mean_quarters": (15, 96), "last_token": (15, 32),
        "output_sketch": (15, 2048),
        "mean_layer_1": (15, 32),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "said"),
    [("mean_layer_99", "layer"), ("mean_layer_x", "there is no kind mean_layer_x")],
)
def test_a_kind_that_there_is_not_is_said(
    prompts: PromptSet, tiny_model: str, kind: str, said: str
) -> None:
    generate(tiny_model, "pool", "--no-features")
    with pytest.raises(CommandError, match=said):
        call_command("extract_features", "pool", "--kind", kind)


def test_a_ready_pool_gets_features_of_the_settings_model(tmp_path: Path, tiny_model: str) -> None:
    path = tmp_path / "pool.jsonl"
    rows = [{"prompt": "Q", "completions": ["a", "", "a longer one"]}]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with override_settings(PAIRSELECT_MODEL=tiny_model):
        call_command("import_pool", str(path), "--name", "ready")
    features, log_probs, counts = load_arrays(FeatureSet.objects.get(model=tiny_model))
    assert (features.shape, np.isfinite(log_probs).all(), counts[1]) == ((3, 32), True, 0)


def test_a_pool_by_page_is_made_by_a_worker(
    prompts: PromptSet, tiny_model: str, people: People
) -> None:
    client = people.client(people.admin)
    form = {"prompt_set": prompts.pk, "name": "web", "completions": 2, "max_new_tokens": 4,
            "temperature": "1", "top_p": 1, "seed": 0}  # fmt: skip
    with override_settings(PAIRSELECT_MODEL=tiny_model):
        refused = client.post("/pools/new/", form | {"model": "/etc"})
        assert "/etc is not one of the available choices" in refused.content.decode()
        assert Pool.objects.count() == 0  # which files are opened is not a form's to say
        response = client.post("/pools/new/", form)
    pool = Pool.objects.get()
    assert pool.model == tiny_model
    assert response.headers["Location"] == f"/pools/{pool.pk}/"
    assert "Cancel" in client.get(f"/pools/{pool.pk}/").content.decode()
    run_queued_jobs()
    page = client.get(f"/pools/{pool.pk}/").content.decode()
    assert "10 completions" in page
    assert "Choose pairs" in page


def test_followers_wait_for_the_pool(prompts: PromptSet, tiny_model: str) -> None:
    pool = actions.create_pool(
        prompts, name="p", recipes=[Recipe(tiny_model)], completions=2, max_new_tokens=8
    )
    enqueue_in_turn(actions.work_for_pool(pool))
    feature_set = FeatureSet.objects.get()
    job = last_job("extract_features", feature_set.pk)
    assert job is not None
    assert job.status == "waiting"
    run_queued_jobs()
    job.refresh_from_db()
    assert job.status == "done"


def test_features_of_two_revisions_do_not_mix(
    prompts: PromptSet, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extracting, "CHUNK", 4)
    pool = generate(tiny_model, "pool", "--no-features")
    feature_set = actions.create_feature_set(pool)
    with pytest.raises(JobStopped):
        extracting.extract_features(feature_set.pk, StopAfter(3))  # type: ignore[arg-type]
    feature_set.refresh_from_db()
    assert feature_set.fingerprint["weights"]  # noted before the first row
    feature_set.fingerprint |= {"weights": "of another revision"}
    feature_set.save()
    encoded: list[int] = []
    encode = engine_features.encode

    def counting(lm, items, *args, **kwargs):  # type: ignore[no-untyped-def]
        encoded.append(len(items))
        return encode(lm, items, *args, **kwargs)

    monkeypatch.setattr(engine_features, "encode", counting)
    extracting.extract_features(feature_set.pk, NoProgress())  # type: ignore[arg-type]
    assert sum(encoded) == 15


def test_a_lost_array_is_extracted_anew(prompts: PromptSet, tiny_model: str) -> None:
    pool = generate(tiny_model)
    feature_set = FeatureSet.objects.get()
    before = np.array(load_arrays(feature_set)[0])
    (features_folder(feature_set) / "features.npy").unlink()
    call_command("extract_features", pool.name)
    after = load_arrays(feature_set)[0]
    assert np.abs(before).min(axis=1).max() > 0
    assert np.allclose(before, after, rtol=0.1, atol=0.1)


def test_a_kind_that_the_model_lacks_stops_nothing_else(
    prompts: PromptSet, tiny_model: str
) -> None:
    pool = actions.create_pool(
        prompts, name="pool", recipes=[Recipe(tiny_model)], completions=3, max_new_tokens=8
    )
    actions.create_feature_set(pool, kind="mean_layer_99")
    assert generate(tiny_model).completed_at is not None
    done = FeatureSet.objects.filter(completed_at__isnull=False)
    assert [one.kind for one in done] == ["mean_middle"]
    with pytest.raises(CommandError, match="layer"):
        call_command("extract_features", "pool", "--kind", "mean_layer_99")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": ", ".join(["1"] * 21)}, "separated by commas, 20 at most"),
        ({"temperature": "hot"}, "Give numbers from 0.01 to 10"),
        ({"system_prompt": "a\n---\n" * 40}, "the limit is 20"),
        ({"system_prompt": "x" * 60_000}, "at most 50000 characters"),
        ({"temperature": "0.5, 0.6, 0.7", "completions": 900}, "That makes 2,700 a prompt"),
    ],
)
def test_a_form_asks_for_what_can_be_made(
    prompts: PromptSet, people: People, changes: dict[str, object], said: str
) -> None:
    form = {"prompt_set": prompts.pk, "name": "web", "completions": 2, "max_new_tokens": 4,
            "temperature": "1", "top_p": 1, "seed": 0}  # fmt: skip
    page = people.client(people.admin).post("/pools/new/", form | changes)
    assert said in page.content.decode()
    assert Pool.objects.count() == 0


def test_an_incomplete_pool_has_nothing_to_look_at(
    prompts: PromptSet, tiny_model: str, people: People
) -> None:
    pool = actions.create_pool(
        prompts, name="pool", recipes=[Recipe(tiny_model)], completions=3, max_new_tokens=8
    )
    client = people.client(people.admin)
    page = client.post(f"/pools/{pool.pk}/report/", follow=True)
    assert "not complete yet" in page.content.decode()
    assert last_job("report_pool", pool.pk) is None
    assert last_job("generate_pool", pool.pk) is None
