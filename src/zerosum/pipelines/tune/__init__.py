"""The same care for every system: `tune(recipe, out)` searches around a preset."""

from zerosum.pipelines.tune.found import Found
from zerosum.pipelines.tune.search import tune

__all__ = ["Found", "tune"]
