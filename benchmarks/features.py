"""Tokens/s of the feature pass by kind, and the share that the matrix products alone would take."""

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.nn.functional import linear

from benchmarks.generation import PROMPTS
from pairselect.pools.engine.features import FEATURE_KINDS, Item, encode
from pairselect.pools.engine.layers import layer_count
from pairselect.pools.engine.loading import EMBEDDED, LanguageModel, load_model

CASES: dict[str, tuple[Sequence[str], bool]] = {
    "mean_middle, no log-probs": (("mean_middle",), False),
    "last_token, no log-probs": (("last_token",), False),
    "log-probs alone": ((), True),
    "mean_middle": (("mean_middle",), True),
    "last_token": (("last_token",), True),
    "output_sketch": (("output_sketch",), True),
    "all kinds": (FEATURE_KINDS, True),
}
TEXTS = ("README.md", "docs/design.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=EMBEDDED)
    parser.add_argument("--data-dir", type=Path, help="where the embedded model is kept")
    parser.add_argument("--completions", type=int, default=8, help="of each of the 8 prompts")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--pool", type=Path, help="a pool as import_pool takes it, instead")
    parser.add_argument("--prompts", type=int, default=120, help="of the pool")
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="default: one for each core")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lm = load_model(options.model, data_dir=options.data_dir or Path(folder))
    if options.threads:
        torch.set_num_threads(options.threads)
    items = (
        from_pool(options.pool, options.prompts)
        if options.pool
        else from_texts(lm, options.completions, options.tokens)
    )
    print(f"{lm.name}, {lm.device}, {lm.dtype}, {torch.get_num_threads()} threads")
    if lm.device.type != "cuda":
        print("no CUDA device: what follows is the CPU's")
    prompts, own, targets = count_tokens(lm, items)
    print(f"{len(items)} completions, {own - len(items)} tokens, {prompts} tokens of prompts")
    print(f"peak memory with the model loaded {peak_memory():6.2f} GB")
    clock = time.perf_counter
    if lm.device.type == "cpu" and torch.get_num_threads() == 1:
        clock = time.process_time  # other processes disturb it less
        print("one thread: seconds of CPU time")
    print(f"{'':28}{'s':>7}{'tokens/s':>10}{'products, s':>13}{'share':>7}")
    size = min(options.batch_tokens, prompts + own)
    for name, (kinds, log_probs) in CASES.items():
        inner = not log_probs and kinds == ("mean_middle",)
        depth = layer_count(lm.model) // 2 if inner else layer_count(lm.model)
        head = log_probs or "output_sketch" in kinds
        # turn by turn, so that both see the same machine
        spent, floor = [], []
        for _ in range(options.repeats):
            spent.append(seconds(clock, lambda k=kinds, p=log_probs: run(lm, items, k, p, options)))
            layers, words = product_seconds(clock, lm, size)
            floor.append(
                layers * depth / layer_count(lm.model) * (prompts + own) / size
                + (words * targets / size if head else 0.0)
            )
        best, least = min(spent), min(floor)
        rate = (own - len(items)) / best
        print(f"{name:28}{best:7.2f}{rate:10.0f}{least:13.2f}{least / best:7.0%}", flush=True)
    print(f"peak memory at the end            {peak_memory():6.2f} GB")


def run(
    lm: LanguageModel,
    items: Sequence[Item],
    kinds: Sequence[str],
    log_probs: bool,
    options: argparse.Namespace,
) -> None:
    encode(lm, items, kinds, log_probs=log_probs, batch_tokens=options.batch_tokens)


def seconds(clock: Callable[[], float], work: Callable[[], object]) -> float:
    started = clock()
    work()
    return clock() - started


def product_seconds(
    clock: Callable[[], float], lm: LanguageModel, tokens: int
) -> tuple[float, float]:
    """Seconds of the layers' matrix products and of the output layer's, for so many tokens."""
    head = lm.model.get_output_embeddings().weight
    inner = [
        module.weight
        for module in lm.model.base_model.modules()
        if isinstance(module, torch.nn.Linear)
    ]
    inputs = {
        width: torch.randn(tokens, width, dtype=lm.dtype, device=lm.device)
        for width in {weight.shape[1] for weight in [*inner, head]}
    }

    def multiply(weights: Sequence[torch.Tensor], step: int) -> None:
        with torch.inference_mode():
            for weight in weights:
                for part in inputs[weight.shape[1]].split(step):
                    linear(part, weight)
        if lm.device.type == "cuda":
            torch.cuda.synchronize()

    # the logits of all tokens at once would be 200 MB
    layers = seconds(clock, lambda: multiply(inner, tokens))
    return layers, seconds(clock, lambda: multiply([head], 512))


def count_tokens(lm: LanguageModel, items: Sequence[Item]) -> tuple[int, int, int]:
    """Tokens of the distinct prompts but their last, of the rows, and of the targets."""
    prompts = {lm.render(item.messages): item.messages for item in items}.values()
    lengths = [len(lm.prompt_ids(messages)) - 1 for messages in prompts]
    counts = encode_counts(lm, items)
    ended = sum(item.ended for item in items)
    return sum(lengths), sum(counts) + len(items), sum(counts) + ended


def encode_counts(lm: LanguageModel, items: Sequence[Item]) -> list[int]:
    texts = [item.completion for item in items]
    return [len(ids) for ids in lm.tokenizer(texts, add_special_tokens=False)["input_ids"]]


def from_texts(lm: LanguageModel, completions: int, tokens: int) -> list[Item]:
    """Slices of this project's own pages as answers to the prompts."""
    text = "\n".join(Path(name).read_text() for name in TEXTS)
    ids = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    items = []
    for number in range(len(PROMPTS) * completions):
        start = number * tokens % max(1, len(ids) - tokens)
        messages = ({"role": "user", "content": PROMPTS[number // completions]},)
        answer = lm.tokenizer.decode(ids[start : start + tokens])
        items.append(Item(messages, answer, ended=False))
    return items


def from_pool(file: Path, prompts: int) -> list[Item]:
    opener = gzip.open if file.suffix == ".gz" else open
    with opener(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(prompts), lines, strict=False)]
    items = []
    for row in rows:
        messages = ({"role": "user", "content": row["prompt"]},)
        for one in row["completions"]:
            text = one if isinstance(one, str) else one["text"]
            items.append(Item(messages, text, ended=True))
    return items


def peak_memory() -> float:
    """The process's largest resident size so far, GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    main()
