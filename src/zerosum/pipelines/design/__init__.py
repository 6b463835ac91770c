"""A search for molecules: `design(...)` trains, samples, scores and feeds the best back."""

from zerosum.pipelines.design.records import Terms
from zerosum.pipelines.design.search import Found, design, plan

__all__ = ["Found", "Terms", "design", "plan"]
