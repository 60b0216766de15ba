"""One training recipe per weight; run each with `python -m`."""
