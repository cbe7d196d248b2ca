"""A lean forward pass for Llama-like models: few operations a layer, no copies of the cache.

transformers' own decode step spends more time around its matrix products than in them: it
expands grouped keys to all heads and dispatches some forty small operations a layer. Here the
products of one input are fused, the heads that share keys are read as one small matrix, and
every operation treats each token by itself, so that a token's states do not depend on what else
is in the batch.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention

from pairselect.pools.engine.caches import SlotCache, grows_plainly
from pairselect.pools.engine.loading import LanguageModel

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

_FAMILIES = {"llama", "mistral", "qwen2", "qwen3"}
# Whose angles depend on the position alone, not on the longest row in the batch.
_ROPES = {"default", "linear", "llama3", "yarn"}


@dataclass(frozen=True)
class _Linear:
    weight: torch.Tensor  # (out, in)
    bias: torch.Tensor | None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class _Layer:
    input_norm: Any
    query_key_value: _Linear
    query_norm: Any  # None but in Qwen3
    key_norm: Any
    output: _Linear
    scale: float
    mlp_norm: Any
    gate_up: _Linear
    activation: Any
    down: _Linear


@dataclass(frozen=True)
class Read:
    """What one forward pass returns for m tokens.

    ``states`` are the final states after the final norm, (m, d); ``caught[k]`` the inputs of
    layer k, (m, d).
    """

    states: torch.Tensor
    caught: Mapping[int, torch.Tensor]


@dataclass(frozen=True)
class Prefix:
    """A prompt that was read: its keys and values a layer, each (heads, tokens, head size).

    ``state`` is the final state at its last token, (d,), and ``caught[k]`` layer k's input
    there.
    """

    keys: Sequence[torch.Tensor]
    values: Sequence[torch.Tensor]
    state: torch.Tensor
    caught: Mapping[int, torch.Tensor]


class LeanDecoder:
    """The forward pass of one model, over prompts and over single tokens.

    The model's weights are joined in place (its own modules become views of the joined
    tensors), so no memory is added. Use `lean_decoder`, which tells whether a model fits.
    """

    def __init__(self, lm: LanguageModel) -> None:
        base = lm.model.base_model
        config = lm.model.config.get_text_config()
        self.device, self.dtype = lm.device, lm.dtype
        self.head_size = int(base.layers[0].self_attn.head_dim)
        self.heads = int(config.num_attention_heads)
        self.key_heads = int(config.num_key_value_heads)
        self.depth = len(base.layers)
        self.hidden_size = lm.hidden_size
        self._embed = base.embed_tokens
        self._final_norm = base.norm
        self._head = lm.model.get_output_embeddings()
        self.layers = [_joined(layer) for layer in base.layers]
        positions = torch.arange(lm.context_length, device=lm.device).unsqueeze(0)
        with torch.inference_mode():
            probe = torch.zeros(1, dtype=lm.dtype, device=lm.device)
            cos, sin = base.rotary_emb(probe, positions)
        self._cos = cos[0].unsqueeze(1)  # (context, 1, head size)
        half = self.head_size // 2
        # rotate_half(q) · sin, with the sign in the table, is roll(q) · signed sin
        self._sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1).unsqueeze(1)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Return the next token's logits, (m, vocabulary), from final states (m, d)."""
        head: torch.Tensor = self._head(states)
        return head

    @property
    def token_bytes(self) -> int:
        """Bytes of keys and values that one token keeps."""
        return 2 * self.depth * self.key_heads * self.head_size * self.dtype.itemsize

    def cache(self, slots: int, capacity: int) -> SlotCache:
        """Return an empty cache for `slots` rows of at most `capacity` tokens."""
        return SlotCache(
            self.depth,
            (slots, self.key_heads, capacity, self.head_size),
            dtype=self.dtype,
            device=self.device,
        )

    def read_prompts(
        self, prompts: Sequence[Sequence[int]], *, catch: Collection[int] = ()
    ) -> list[Prefix]:
        """Read prompts in one pass, each attending to itself alone."""
        ids = torch.tensor([token for prompt in prompts for token in prompt], device=self.device)
        ends: list[int] = []
        for prompt in prompts:
            ends.append((ends[-1] if ends else 0) + len(prompt))
        spans = list(zip([0, *ends], ends, strict=False))
        positions = torch.cat([torch.arange(end - start) for start, end in spans]).to(self.device)
        kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        group = self.heads // self.key_heads

        def attend(
            depth: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (queries, keys, values))
            kept.append((k[0], v[0]))  # (key heads, tokens, head size)
            outs = [
                scaled_dot_product_attention(
                    q[:, :, start:end],
                    k[:, :, start:end].repeat_interleave(group, dim=1),
                    v[:, :, start:end].repeat_interleave(group, dim=1),
                    is_causal=True,
                    scale=self.layers[depth].scale,
                )
                for start, end in spans
            ]
            return torch.cat(outs, dim=2)[0].transpose(0, 1).flatten(1)

        read = self._forward(ids, positions, attend, catch)
        return [
            Prefix(
                [k[:, start:end].contiguous() for k, _ in kept],
                [v[:, start:end].contiguous() for _, v in kept],
                read.states[end - 1],
                {depth: states[end - 1] for depth, states in read.caught.items()},
            )
            for start, end in spans
        ]

    def read_tokens(
        self,
        tokens: torch.Tensor,
        lengths: torch.Tensor,
        cache: SlotCache,
        *,
        catch: Collection[int] = (),
    ) -> Read:
        """Read one token for each of the first m rows of the cache, and keep its states there.

        Parameters
        ----------
        tokens, lengths
            (m,) each: the tokens, and how many came before each in its row.
        """
        places = cache.places(lengths)
        mask = cache.mask(lengths + 1)

        def attend(
            depth: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            return self.attend(depth, queries, keys, values, cache, places, mask)

        return self._forward(tokens, lengths, attend, catch)

    def attend(
        self,
        depth: int,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        cache: SlotCache,
        places: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        """Write m tokens' keys and values, (m, key heads, head size), and attend to their rows.

        `queries` have shape (m, heads, head size), `places` and `mask` come from the cache.
        Returns (m, heads · head size).
        """
        # The heads that share keys are the columns of one small matrix. torch's own kernel takes
        # 1.8 times as long for one token a row (94 ms against 53 in the 30 layers of SmolLM2-135M,
        # 128 rows), and 7 times as long where keys are expanded to all heads.
        all_keys, all_values = cache.write(depth, places, keys, values)
        rows, width = len(queries), mask.shape[-1]
        group = self.heads // self.key_heads
        columns = queries.reshape(-1, group, self.head_size).transpose(1, 2)
        scores = torch.bmm(all_keys[:rows].flatten(0, 1)[:, :width], columns)
        scores = scores.view(rows, self.key_heads, width, group).transpose(2, 3).float()
        scores = scores.mul_(self.layers[depth].scale).add_(mask)
        weights = torch.softmax(scores, dim=-1).to(values.dtype)  # (m, key heads, group, width)
        out = torch.bmm(
            weights.view(-1, group, width), all_values[:rows].flatten(0, 1)[:, :width]
        )  # (m · key heads, group, head size)
        return out.view(rows, self.heads * self.head_size)

    def _forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        attend: Attend,
        catch: Collection[int],
    ) -> Read:
        cos, sin = self._cos[positions], self._sin[positions]  # (m, 1, head size)
        rotated = self.heads + self.key_heads
        shape = (len(ids), rotated + self.key_heads, self.head_size)
        caught = {}
        x = self._embed(ids)  # (m, d)
        for depth, layer in enumerate(self.layers):
            if depth in catch:
                caught[depth] = x
            joined = layer.query_key_value(_norm(x, layer.input_norm)).view(shape)
            turned = joined[:, :rotated]
            if layer.query_norm is not None:
                queries = _norm(turned[:, : self.heads], layer.query_norm)
                keys = _norm(turned[:, self.heads :], layer.key_norm)
                turned = torch.cat([queries, keys], dim=1)
            turned = torch.addcmul(turned * cos, turned.roll(self.head_size // 2, -1), sin)
            out = attend(
                depth, turned[:, : self.heads], turned[:, self.heads :], joined[:, rotated:]
            )
            x = x + layer.output(out)
            gate, up = layer.gate_up(_norm(x, layer.mlp_norm)).chunk(2, dim=-1)
            x = x + layer.down(layer.activation(gate).mul_(up))
        return Read(_norm(x, self._final_norm), caught)


def lean_decoder(lm: LanguageModel) -> LeanDecoder | None:
    """Return the lean forward pass of a model, or None where it does not fit.

    A model fits when its family and its modules are known, and when the result agrees with
    transformers' own on a short text, to the rounding of the number format.
    """
    if not _looks_right(lm):
        return None
    decoder = LeanDecoder(lm)
    return decoder if _agrees(lm, decoder) else None


def _looks_right(lm: LanguageModel) -> bool:
    config = lm.model.config
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if config.model_type not in _FAMILIES or rope not in _ROPES or not grows_plainly(config):
        return False
    modules = [
        module
        for layer in lm.model.base_model.layers
        for part in (layer.self_attn, layer.mlp)
        for name, module in part.named_children()
        if name.endswith("_proj")
    ]
    # a subclass may be quantised or adapted; accelerate's hook may fetch weights from elsewhere
    plain = all(type(module) is nn.Linear and not hasattr(module, "_hf_hook") for module in modules)
    return plain and len(modules) == 7 * len(lm.model.base_model.layers)


@torch.inference_mode()
def _agrees(lm: LanguageModel, decoder: LeanDecoder) -> bool:
    """Compare the logits after a short text, its last token read by a decode step."""
    size = lm.model.get_output_embeddings().weight.shape[0]
    ids = [(7 + 31 * place) % size for place in range(12)]
    expected = lm.model(torch.tensor([ids], device=lm.device)).logits[0, -1].float()
    cache = decoder.cache(1, len(ids))
    prefix = decoder.read_prompts([ids[:-1]])[0]
    cache.fill(0, prefix.keys, prefix.values)
    last = torch.tensor([ids[-1]], device=lm.device)
    read = decoder.read_tokens(last, torch.tensor([len(ids) - 1], device=lm.device), cache)
    found = decoder.logits(read.states)[0].float()
    # thirty layers of bfloat16 leave 1 to 2%, a wrong layer 50% and more
    tolerance = 0.1 if lm.dtype.itemsize < 4 else 1e-3
    return bool((found - expected).norm() <= tolerance * expected.norm())


def _norm(x: torch.Tensor, module: Any) -> torch.Tensor:
    return rms_norm(x, (x.shape[-1],), module.weight, module.variance_epsilon)


def _joined(layer: Any) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    return _Layer(
        input_norm=layer.input_layernorm,
        query_key_value=_join([attention.q_proj, attention.k_proj, attention.v_proj]),
        query_norm=getattr(attention, "q_norm", None),
        key_norm=getattr(attention, "k_norm", None),
        output=_join([attention.o_proj]),
        scale=float(attention.scaling),
        mlp_norm=layer.post_attention_layernorm,
        gate_up=_join([mlp.gate_proj, mlp.up_proj]),
        activation=mlp.act_fn,
        down=_join([mlp.down_proj]),
    )


def _join(modules: Sequence[nn.Linear]) -> _Linear:
    """Stack linear maps of one input; the modules then hold views of the stacked weights."""
    biases = [module.bias for module in modules if module.bias is not None]
    bias = torch.cat([bias.data for bias in biases]) if biases else None
    if len(modules) == 1:
        return _Linear(modules[0].weight.data, bias)
    weight = torch.cat([module.weight.data for module in modules])
    start = 0
    for module in modules:
        end = start + module.out_features
        module.weight.data = weight[start:end]
        start = end
    return _Linear(weight, bias)
