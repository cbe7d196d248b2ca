"""What can be renamed, archived and deleted by pages: one line for each kind of row."""

from typing import Any

from annotate.tidying import CAMPAIGNS, EXPORTS
from pairselect.designs.tidying import DESIGNS
from pairselect.pools.removing import POOLS, PROMPT_SETS
from pairselect.pools.tidying import Kind

KINDS: dict[str, Kind[Any]] = {
    kind.what: kind for kind in (PROMPT_SETS, POOLS, DESIGNS, CAMPAIGNS, EXPORTS)
}
