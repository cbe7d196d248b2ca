"""Chance that can be done again: a number for each question, from the campaign's seed alone."""

import hashlib


def draw(seed: int, *question: object) -> float:
    """A number in [0, 1), uniform over questions, the same each time for the same one."""
    text = "/".join(map(str, (seed, *question)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56
