"""Where batches come from: configs that users write, sources they open, feeds that hand out."""

from zerosum.data.config import DataConfig, Images, Toy
from zerosum.data.feed import Feed
from zerosum.data.source import Source, Split, finish
from zerosum.data.stream import Stream, StreamFeed

__all__ = [
    "DataConfig",
    "Feed",
    "Images",
    "Source",
    "Split",
    "Stream",
    "StreamFeed",
    "Toy",
    "finish",
]
