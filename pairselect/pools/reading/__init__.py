"""Prompt files and ready pools in the formats of the field, read row by row in flat memory.

``preview`` tells the format and suggests which column is what; ``read_rows`` takes the mapping.
JSONL, a JSON list, CSV and Parquet are known by their content, plain or packed by gzip or zstd.
"""

from pairselect.pools.reading.columns import KINDS, Columns, Kind, Role, roles
from pairselect.pools.reading.previews import Preview, preview
from pairselect.pools.reading.reading import read_rows
from pairselect.pools.reading.rows import (
    MOST_COMPLETIONS,
    CompletionRow,
    Limits,
    PoolRow,
    PromptRow,
    RowProblem,
    UnreadableFile,
)
from pairselect.pools.reading.source import open_file

__all__ = [
    "KINDS",
    "MOST_COMPLETIONS",
    "Columns",
    "CompletionRow",
    "Kind",
    "Limits",
    "PoolRow",
    "Preview",
    "PromptRow",
    "Role",
    "RowProblem",
    "UnreadableFile",
    "open_file",
    "preview",
    "read_rows",
    "roles",
]
