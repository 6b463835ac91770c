"""Networks of the official implementations: built from their constructor's arguments and tensors.

One module for each: `stylegan2`, `stylegan3`, `r3gan`, `biggan`. Nothing here runs code that
comes with a file of weights: `pickles` reads names, arguments and numbers, and nothing else.
"""
