"""Tokens/s of the engine beside transformers' `generate`: same model, batch and sampler."""

import argparse
import tempfile
import time
from pathlib import Path

import torch

from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.generation import InProcessGenerator, Request, Sampler
from pairselect.pools.engine.loading import EMBEDDED, LanguageModel, load_model

PROMPTS = [
    f"Explain in a short paragraph {what}."
    for what in (
        "why leaves change colour in autumn",
        "how a refrigerator moves heat",
        "what makes bread rise",
        "how tides come about",
        "why the sky is blue",
        "how vaccines prepare the body",
        "what a hash table is good for",
        "how a bicycle stays upright",
    )
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=EMBEDDED)
    parser.add_argument("--data-dir", type=Path, help="where the embedded model is kept")
    parser.add_argument("--completions", type=int, default=8, help="of each of the 8 prompts")
    parser.add_argument("--tokens", type=int, default=128)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lm = load_model(options.model, data_dir=options.data_dir or Path(folder))
        print(f"{lm.name}, {lm.device}, {lm.dtype}, {torch.get_num_threads()} threads")
        batched = plain_generate(lm, options.completions, options.tokens)
        seconds, tokens, items = engine(lm, options.completions, options.tokens)
        print(f"generate, one batch   {batched:8.0f} tokens/s")
        print(f"this engine           {tokens / seconds:8.0f} tokens/s")
        print(f"ratio                 {tokens / seconds / batched:8.2f}")
        started = time.perf_counter()
        encode(lm, items)
        spent = time.perf_counter() - started
        print(f"features              {spent:8.1f} s, {spent / seconds:.2f} of the generation")


def plain_generate(lm: LanguageModel, completions: int, tokens: int) -> float:
    """Tokens/s, every row forced to the same length."""
    prompts = [lm.render([{"role": "user", "content": prompt}]) for prompt in PROMPTS]
    texts = [text for text in prompts for _ in range(completions)]
    lm.tokenizer.padding_side = "left"
    batch = lm.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    started = time.perf_counter()
    with torch.inference_mode():
        lm.model.generate(
            **batch.to(lm.device),
            do_sample=True,
            top_k=0,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
        )
    return len(texts) * tokens / (time.perf_counter() - started)


def engine(lm: LanguageModel, completions: int, tokens: int) -> tuple[float, int, list[Item]]:
    """Seconds, tokens sampled (rows may end early), and the completions."""
    requests = [
        Request((i, k), ({"role": "user", "content": prompt},), seed=1000 * i + k)
        for i, prompt in enumerate(PROMPTS)
        for k in range(completions)
    ]
    started = time.perf_counter()
    done = list(InProcessGenerator(lm).generate(requests, Sampler(max_new_tokens=tokens)))
    seconds = time.perf_counter() - started
    prompts = {request.key: request.messages for request in requests}
    items = [Item(prompts[one.key], one.text, one.finish_reason == "stop") for one in done]
    return seconds, sum(one.token_count for one in done), items


if __name__ == "__main__":
    main()
