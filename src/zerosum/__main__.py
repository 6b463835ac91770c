"""`python -m zerosum` is the command `zerosum`; torchrun needs it as a module."""

from zerosum.cli.main import main

main()
