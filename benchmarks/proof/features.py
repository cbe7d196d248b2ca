"""Features by name: the product's own kinds, and what to compare them with.

``mean_middle``, ``last_token`` and the other kinds of `extract_features` are read from the
product's data directory; ``MODEL:KIND`` asks another reference model. ``length`` and ``tfidf`` need
no model; ``encoder`` is a sentence encoder's mean state of prompt and completion.
``+`` joins several. After ``@`` stand options of the reduction: ``@clip=none``, ``@clip=0.9``,
``@scale=none``, ``@no_length`` (what length explains is taken off), ``@length=S`` (but for a share
S of it); then ``@without_first=K`` (so many principal components are dropped) and ``@flatter=G``
(each coordinate is divided by its standard deviation to the power G). After ``designed on`` stand
features that the design sees instead of the learner's.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.proof.pools import EMBEDDED, RawPool, Workshop
from benchmarks.proof.sources import Source
from benchmarks.proof.task import Task, task_of
from pairselect.core import reduce_features
from pairselect.core.arrays import FloatArray, IntArray

DESIGNED_ON = " designed on "
MOST_DIMENSIONS = 256
RAREST = 5  # a word in fewer completions is left out
VOCABULARY = 4000


@dataclass(frozen=True)
class Shelf:
    """Where features come from: the product's directory, and a cache of the others."""

    source: Source
    workshop: Workshop
    encoder: Path | None = None

    def task(self, name: str) -> Task:
        """The source with these features, reduced by the product."""
        learnt, _, designed = name.partition(DESIGNED_ON)
        if designed:
            return replace(self.task(learnt), designed_on=self.task(designed).features)
        joined, _, options = name.partition("@")
        parts = [self.raw(one) for one in joined.split("+")]
        kept = dict(one.partition("=")[::2] for one in options.split(",") if one)
        # Parts that are joined are scaled by the part, and TF-IDF has its own weights.
        whole = kept.get("scale") == "none" or len(parts) > 1 or joined == "tfidf"
        raw = np.concatenate([_scaled(part) for part in parts], axis=1) if parts[1:] else parts[0]
        product = self.read("mean_middle", EMBEDDED)
        prompt = np.repeat(np.arange(len(self.source.questions)), self.source.score.shape[1])
        if "no_length" in kept or "length" in kept:
            less = without(raw, lengths(self.texts())[:, :1], prompt)
            raw = less + float(kept.get("length", 0)) * (raw - less)
        clip: Any = kept.get("clip", "median")
        reduced = reduce_features(
            raw,
            prompt,
            dimension=MOST_DIMENSIONS,
            clip=None if clip == "none" else clip if clip == "median" else float(clip),
            standardise=not whole,
        )
        features = reduced.features[:, int(kept.get("without_first", 0)) :]
        flat = float(kept.get("flatter", 0))
        return task_of(
            self.source,
            features / features.std(axis=0) ** flat,
            log_probs=product.log_probs,
            token_counts=product.token_counts,
        )

    def raw(self, name: str) -> FloatArray:
        """One part, (n, D)."""
        if name == "length":
            return lengths(self.texts())
        if name == "tfidf":
            return tfidf(self.texts())
        if name == "encoder":
            return self.encoded()
        model, _, kind = name.rpartition(":")
        return self.read(kind, model or EMBEDDED).features

    def read(self, kind: str, model: str) -> RawPool:
        found = self.workshop.read(kind, model)
        size = self.source.score.shape[1]
        assert np.array_equal(found.prompt * size + found.index, np.arange(len(found.prompt)))
        return found

    def texts(self) -> list[str]:
        return [text for question in self.source.questions for text in question.completions]

    def encoded(self) -> FloatArray:
        if self.encoder is None:
            raise SystemExit("encoder: name the folder of a sentence encoder with --encoder.")
        mark = hashlib.sha256((self.encoder / "config.json").read_bytes()).hexdigest()[:8]
        cache = self.workshop.folder / f"encoder-{self.workshop.name}-{mark}.npy"
        if not cache.exists():
            asked = [question.prompt[-200:] for question in self.source.questions]
            size = self.source.score.shape[1]
            texts = [f"{asked[k // size]} {text}" for k, text in enumerate(self.texts())]
            np.save(cache, encode(self.encoder, texts))
        return np.asarray(np.load(cache), dtype=np.float64)


def lengths(texts: list[str]) -> FloatArray:
    """Log characters, log words, share of figures and of punctuation, sentences: (n, 5)."""
    rows = [
        (
            np.log1p(len(text)),
            np.log1p(len(text.split())),
            sum(c.isdigit() for c in text) / max(len(text), 1),
            sum(c in ".,;:()\"'" for c in text) / max(len(text), 1),
            np.log1p(len(re.findall(r"[.!?\n]+", text))),
        )
        for text in texts
    ]
    return np.array(rows)


def tfidf(texts: list[str]) -> FloatArray:
    """(1 + log count) · log(n/df) over the commonest words, each row of length 1: (n, ≤4000)."""
    counted = [Counter(re.findall(r"\w+", text.lower())) for text in texts]
    among = Counter(word for one in counted for word in one)
    words = sorted(w for w, df in among.most_common(VOCABULARY) if df >= RAREST)
    place = {word: k for k, word in enumerate(words)}
    table = np.zeros((len(texts), len(words)))
    for row, one in enumerate(counted):
        for word, count in one.items():
            if word in place:
                table[row, place[word]] = (1 + np.log(count)) * np.log(len(texts) / among[word])
    norm = np.linalg.norm(table, axis=1, keepdims=True)
    return np.asarray(table / np.where(norm > 0, norm, 1.0))


def encode(folder: Path, texts: list[str]) -> FloatArray:
    """The mean last state over tokens of a BERT-like encoder, (n, d)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(
                texts[start : start + 32],
                padding=True,
                truncation=True,
                max_length=256,
                return_tensors="pt",
            )
            mask = batch["attention_mask"][:, :, None]
            states = model(**batch).last_hidden_state
            parts.append(((states * mask).sum(1) / mask.sum(1)).numpy())
    return np.concatenate(parts)


def without(raw: FloatArray, nuisance: FloatArray, prompt: IntArray) -> FloatArray:
    """The rows less what the nuisance (n, k) explains of them within prompts."""
    x, z = _centred(raw, prompt), _centred(nuisance, prompt)
    return np.asarray(x - z @ np.linalg.lstsq(z, x, rcond=None)[0])


def _centred(table: FloatArray, prompt: IntArray) -> FloatArray:
    counts = np.bincount(prompt)
    sums = np.stack([np.bincount(prompt, column) for column in table.T], axis=1)
    return np.asarray(table - (sums / counts[:, None])[prompt])


def _scaled(table: FloatArray) -> FloatArray:
    """Parts that are joined weigh as much as each other, whatever their width."""
    deviation = table.std(axis=0)
    return np.asarray(table / np.where(deviation > 0, deviation, 1.0) / np.sqrt(table.shape[1]))
