"""One page that explains a run: `report(run)` writes report.html and report.png into it."""

from zerosum.pipelines.report.write import report

__all__ = ["report"]
