"""A hub cache with every repository of the set `paper`: its true layout and classes, small random weights."""
