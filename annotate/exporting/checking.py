"""What a trainer would not take of a row. Said in words; nothing said is a row that it takes.

A prompt is looked at once, and its finding kept; the two texts are looked at for every row.
"""

from django.utils.translation import gettext_noop as _

Messages = list[dict[str, str]]
ROLES = ("system", "user", "assistant")


def conversation(messages: Messages) -> str:
    """A list of messages that ends with the user's, a system message only at its beginning."""
    if not isinstance(messages, list) or not messages:
        return _("the prompt has no message")
    for place, one in enumerate(messages):
        if not isinstance(one, dict) or one.keys() != {"role", "content"}:
            return _("a message of the prompt has other keys than role and content")
        if one["role"] not in ROLES or not isinstance(one["content"], str):
            return _(
                "a message of the prompt is not from system, user or assistant, or has no text"
            )
        if one["role"] == "system" and place:
            return _("a system message of the prompt comes after another")
    if messages[-1]["role"] != "user":
        return _("the prompt does not end with a message of the user")
    return ""


def alternating(messages: Messages) -> str:
    """A conversation whose turns alternate, after a system message if there is one."""
    problem = conversation(messages)
    turns = [one["role"] for one in messages if one["role"] != "system"] if not problem else []
    if any(turn != ("user", "assistant")[i % 2] for i, turn in enumerate(turns)):
        return _("the turns of the prompt do not alternate between user and assistant")
    return problem


def templated(messages: Messages) -> str:
    """Whatever a chat template takes: rendering says the rest."""
    return "" if messages else _("the prompt has no message")


def two_texts(better: str, worse: str) -> str:
    """Two texts that differ, none of them empty."""
    if not better or not worse:
        return _("a text is empty")
    if better == worse:
        return _("both texts are the same")
    return ""


def one_text(text: str) -> str:
    return "" if text else _("a text is empty")
