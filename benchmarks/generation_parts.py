"""What a decode step of the engine costs, by part: the parts run alone, over all layers."""

import time
from collections.abc import Callable

import torch

from pairselect.pools.engine.contract import Sampler
from pairselect.pools.engine.decode import lean_decoder
from pairselect.pools.engine.loading import LanguageModel
from pairselect.pools.engine.sampling import draw_tokens

PROMPT = 42  # tokens, about what `benchmarks.generation` asks


@torch.inference_mode()
def step_parts(lm: LanguageModel, *, rows: int, tokens: int) -> dict[str, float]:
    """Milliseconds by part, in the middle of a completion; empty without a lean forward pass.

    CPU seconds of the calling thread where torch runs on one, so that a busy machine disturbs
    little; else elapsed ones.
    """
    decoder = lean_decoder(lm)
    if decoder is None:
        return {}
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    prefix = decoder.read_prompts([list(range(10, 10 + PROMPT))])[0]
    cache = decoder.cache(rows, PROMPT + tokens)
    for slot in range(rows):
        cache.fill(slot, prefix.keys, prefix.values)
    ids = torch.arange(rows)
    lengths = torch.full((rows,), PROMPT + tokens // 2)
    states = decoder.read_tokens(ids, lengths, cache).states
    logits = decoder.logits(states)
    uniforms = torch.rand(rows, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    layers = decoder.layers
    wide = torch.randn(rows, layers[0].down.weight.shape[1]).to(lm.dtype)
    heads = torch.randn(rows, decoder.heads * decoder.head_size).to(lm.dtype)
    keys = torch.randn(rows, decoder.key_heads, decoder.head_size).to(lm.dtype)
    queries = heads.view(rows, decoder.heads, decoder.head_size)
    places, mask = cache.places(lengths), cache.mask(lengths + 1)

    def products() -> None:
        for layer in layers:
            layer.query_key_value(states)
            layer.output(heads)
            layer.gate_up(states)
            layer.down(wide)

    def attention() -> None:
        for depth in range(decoder.depth):
            decoder.attend(depth, queries, keys, keys, cache, places, mask)

    whole = _best(lambda: decoder.read_tokens(ids, lengths, cache), clock)
    parts = {"matrix products": _best(products, clock), "attention": _best(attention, clock)}
    parts["norms, rotation, activation"] = max(0.0, whole - sum(parts.values()))
    parts["output layer"] = _best(lambda: decoder.logits(states), clock)
    sampler = Sampler(tokens)
    parts["draw"] = _best(lambda: draw_tokens(logits, uniforms, sampler=sampler), clock)
    return parts


def _best(run: Callable[[], object], clock: Callable[[], float], repeats: int = 7) -> float:
    run()
    times = []
    for _ in range(repeats):
        started = clock()
        run()
        times.append(clock() - started)
    return 1000 * min(times)
