"""The file in the hands of the real loader and the real trainer."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from annotate.models import Campaign
from tests.annotate.giving import answer_next
from tests.conftest import People, give, make_campaign

pytestmark = [pytest.mark.trainer, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def labelled(people: People, tiny_model: str) -> Campaign:
    campaign = make_campaign(people.anna, prompts=6)
    prompt = campaign.design.pool.prompt_set.prompts.get(position=1)
    prompt.messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Why?"},
    ]
    prompt.metadata = {"kind": "conversation"}
    prompt.save()
    pool = campaign.design.pool
    pool.variants.update(model=tiny_model)
    for choice in ("left", "right", "tie", "left", "both_bad", "right"):
        give(campaign, people.anna, choice)
    return campaign


def export(campaign: Campaign, folder: Path, form: str) -> Any:
    import datasets

    out = folder / f"{form}.jsonl"
    call_command("export_dataset", campaign.name, "--output", str(out), "--format", form)
    return datasets.load_dataset(
        "json", data_files=str(out), split="train", cache_dir=str(folder / "cache")
    )


def take_a_step(dataset: Any, name: str, folder: Path, kind: str = "DPO", model: Any = None) -> Any:
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trainer = getattr(trl, f"{kind}Trainer")(
        model=model or AutoModelForCausalLM.from_pretrained(name),
        args=getattr(trl, f"{kind}Config")(
            output_dir=str(folder / "run"),
            max_steps=1,
            per_device_train_batch_size=4,
            report_to=[],
            save_strategy="no",
            logging_steps=1,
            learning_rate=1e-3,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            disable_tqdm=True,
        ),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(name),
    )
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    result = trainer.train()
    moved = sum(
        not before[name].equal(p.detach().cpu()) for name, p in trainer.model.named_parameters()
    )
    return trainer, result, moved


@pytest.mark.parametrize("form", ["trl", "trl-standard"])
def test_dpo_trainer_takes_a_step(
    labelled: Campaign, tmp_path: Path, tiny_model: str, form: str
) -> None:
    dataset = export(labelled, tmp_path, form)
    assert dataset.num_rows == 4
    assert set(dataset.column_names) == {"prompt", "chosen", "rejected", "metadata"}
    trainer, result, moved = take_a_step(dataset, tiny_model, tmp_path)
    assert result.global_step == 1
    assert result.training_loss == pytest.approx(0.6931, abs=1e-3)  # log 2: policy = reference
    assert moved > 0
    assert len(trainer.train_dataset) == 4  # no row was dropped


def test_the_standard_prompt_is_the_text_that_the_model_was_given(
    labelled: Campaign, tmp_path: Path, tiny_model: str
) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    conversational = export(labelled, tmp_path, "trl")
    standard = export(labelled, tmp_path, "trl-standard")
    for given, row in zip(conversational, standard, strict=True):
        expected = tokenizer.apply_chat_template(
            given["prompt"], tokenize=False, add_generation_prompt=True
        )
        assert row["prompt"] == expected
        assert row["chosen"] == given["chosen"][0]["content"]


def test_reward_trainer_takes_a_step_with_margins(
    edited: Campaign, tmp_path: Path, tiny_model: str
) -> None:
    from transformers import AutoModelForSequenceClassification

    dataset = export(edited, tmp_path, "trl-reward")
    assert dataset["margin"] == [2.0, 2.0, 0.0]  # the last said no strength
    model = AutoModelForSequenceClassification.from_pretrained(tiny_model, num_labels=1)
    trainer, result, moved = take_a_step(dataset, tiny_model, tmp_path, "Reward", model=model)
    assert result.global_step == 1
    assert moved > 0
    assert len(trainer.train_dataset) == 3


def test_kto_trainer_takes_a_step(labelled: Campaign, tmp_path: Path, tiny_model: str) -> None:
    dataset = export(labelled, tmp_path, "kto")
    assert dataset["label"] == [False, False]
    trainer, result, moved = take_a_step(dataset, tiny_model, tmp_path, "KTO")
    assert result.global_step == 1
    assert moved > 0
    assert len(trainer.train_dataset) == 2


@pytest.fixture
def edited(people: People, tiny_model: str) -> Campaign:
    campaign = make_campaign(people.anna, prompts=6, edits=True, strengths=2, criteria=["Clear"])
    campaign.design.pool.variants.update(model=tiny_model)
    for choice in ("left", "tie", "both_bad", "right"):
        answer_next(
            campaign,
            people.anna,
            choice,
            edit=f"An edit where {choice} was said.",
            edit_of="right" if choice == "right" else "left",
            strength=2 if choice in ("left", "right") else None,
            criteria={"Clear": "left"},
            reason="So that it is clear.",
            active_seconds=4.0,
        )
    answer_next(campaign, people.anna, "left")
    return campaign


def test_dpo_trainer_takes_a_step_on_edits(
    edited: Campaign, tmp_path: Path, tiny_model: str
) -> None:
    dataset = export(edited, tmp_path, "edits")
    assert set(dataset.column_names) == {"prompt", "chosen", "rejected", "metadata"}
    assert [row["metadata"]["rejected_is"] for row in dataset] == (
        ["base", "other", "base", "other", "base", "base", "other"]
    )
    trainer, result, moved = take_a_step(dataset, tiny_model, tmp_path)
    assert result.training_loss == pytest.approx(0.6931, abs=1e-3)  # log 2: policy = reference
    assert moved > 0
    assert len(trainer.train_dataset) == 7


def test_sft_trainer_takes_a_step_on_the_edited_texts_alone(
    edited: Campaign, tmp_path: Path, tiny_model: str
) -> None:
    from transformers import AutoTokenizer

    dataset = export(edited, tmp_path, "sft")
    assert set(dataset.column_names) == {"prompt", "completion", "metadata"}
    assert dataset.num_rows == 4
    trainer, result, moved = take_a_step(dataset, tiny_model, tmp_path, kind="SFT")
    assert result.global_step == 1
    assert moved > 0
    assert len(trainer.train_dataset) == 4
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for given, tokens in zip(dataset, trainer.train_dataset, strict=True):
        learnt = [one for one in tokens["labels"] if one != -100]
        assert given["completion"][0]["content"] in tokenizer.decode(learnt)
        assert given["prompt"][0]["content"] not in tokenizer.decode(learnt)


def test_the_loader_reads_what_a_label_says(edited: Campaign, tmp_path: Path) -> None:
    rows = [row["metadata"] for row in export(edited, tmp_path, "trl")]
    assert [row["edited"] for row in rows] == [True, True, False]
    assert [row["margin"] for row in rows] == [2, 2, None]
    assert [row["strength"] for row in rows] == ["much better", "much better", None]
    assert [json.loads(row["criteria"]) for row in rows] == (
        [{"Clear": "chosen"}, {"Clear": "rejected"}, {}]
    )
