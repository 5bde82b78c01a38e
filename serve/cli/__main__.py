"""``python -m serve.cli``: the command without its entry point."""

from serve.cli import main

main()
