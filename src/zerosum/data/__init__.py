"""Where batches come from: fields, codecs, sources of examples, feeds that hand them out.

The configs of all kinds of data can be had from here by the name of their class.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """A config of whichever kind of data has one of that name.

    Raises:
        AttributeError: None has.
    """
    from zerosum.data.registry import names, package

    if name[:1].isupper():
        for modality in names():
            for config in package(modality).MODALITY.configs:
                if config.__name__ == name:
                    return config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
