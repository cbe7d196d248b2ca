"""Numbers in words."""


def count(number: int, noun: str) -> str:
    """“1 prompt”, “2,000 prompts”."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """“12%”, “0.4%”, “under 0.1%”; “none” of nothing."""
    if share <= 0:
        return "none"
    if share < 0.001:
        return "under 0.1%"
    if 0.9995 > share >= 0.995:  # nearly all is not all
        return f"{share:.1%}"
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"
