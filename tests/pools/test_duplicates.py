"""Which rows are the same: by hashes, against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pairselect.pools.imports.duplicates import Digests, _first_equal, _with_repeated


def messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def digests_of(texts: list[str]) -> Digests:
    digests = Digests()
    for text in texts:
        digests.add(messages(text))
    return digests


def test_the_order_of_the_keys_of_a_message_does_not_matter() -> None:
    digests = digests_of(["a"])
    digests.add([{"content": "a", "role": "user"}])
    assert digests.first_equal().tolist() == [0, 0]


def test_role_and_turns_do_matter() -> None:
    digests = digests_of(["a"])
    digests.add([{"role": "system", "content": "a"}])
    digests.add(messages("a") + messages("a"))
    digests.add(messages("a "))
    assert digests.first_equal().tolist() == [0, 1, 2, 3]


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]) | st.text(max_size=2)))
def test_every_row_points_to_the_first_that_equals_it(texts: list[str]) -> None:
    seen: dict[str, int] = {}
    expected = [seen.setdefault(text, place) for place, text in enumerate(texts)]
    assert digests_of(texts).first_equal().tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1))
def test_both_halves_of_a_hash_count(pairs: list[tuple[int, int]]) -> None:
    """Equal first halves alone do not make two rows equal."""
    keys = np.array(pairs, dtype=np.uint64)
    seen: dict[tuple[int, int], int] = {}
    assert _first_equal(keys).tolist() == [seen.setdefault(p, i) for i, p in enumerate(pairs)]
    first = [one for one, _ in pairs]
    assert _with_repeated(keys[:, 0]).tolist() == [
        i for i, one in enumerate(first) if first.count(one) > 1
    ]
