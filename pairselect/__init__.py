"""Which pairs to compare, who compares them, and what came of it."""

__version__ = "0.1.0.dev0"
