"""The commands of `instructedit`, one a file: `configure` adds its options, `run` does the work.

What a command needs is imported inside `run`, so that `--help` answers at once.
"""
