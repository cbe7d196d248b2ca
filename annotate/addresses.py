"""Comparisons in addresses: by a word that says nothing of when and what for they were made.

Checks are made as the work goes on, so that their ids are larger than those of the queue: a
number in an address would tell them apart.
"""

import base64
import binascii

from django.utils.crypto import salted_hmac

ROUNDS = 4  # of a Feistel network over the id's halves: each word is one id's, and back
HALF = 32  # bits


def word_of(pk: int) -> str:
    left, right = pk >> HALF, pk & (2**HALF - 1)
    for number in range(ROUNDS):
        left, right = right, left ^ _mixed(number, right)
    packed = ((left << HALF) | right).to_bytes(8)
    return base64.b32encode(packed).decode().rstrip("=").lower()


def id_of(word: str) -> int:
    """The id that the word stands for.

    Raises
    ------
    ValueError
        When it is no comparison's word.
    """
    try:
        packed = int.from_bytes(base64.b32decode(f"{word.upper()}==="))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    left, right = packed >> HALF, packed & (2**HALF - 1)
    for number in reversed(range(ROUNDS)):
        left, right = right ^ _mixed(number, left), left
    pk: int = (left << HALF) | right
    if pk >= 2**63:
        raise ValueError("no id is as large")
    return pk


class ComparisonConverter:
    regex = "[a-z2-7]{13}"

    def to_python(self, value: str) -> int:
        return id_of(value)

    def to_url(self, value: int) -> str:
        return word_of(value)


def _mixed(number: int, half: int) -> int:
    digest: bytes = salted_hmac(
        f"annotate.addresses.{number}", str(half), algorithm="sha256"
    ).digest()
    return int.from_bytes(digest[: HALF // 8])
