"""What there is to know of a pool before pairs are chosen from it."""

from pairselect.pools.report.build import build_report
from pairselect.pools.report.present import present

__all__ = ["build_report", "present"]
