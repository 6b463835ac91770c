"""An outside package that brings a kind of data and a game for it."""
