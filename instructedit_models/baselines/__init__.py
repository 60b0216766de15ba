"""The systems that InstructEdit is measured against, each in one file, with any model set; `registry` makes them."""
