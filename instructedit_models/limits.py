"""The ranges of an edit's numbers, in one place: `edit_options` checks them, the command line names them.

Imports nothing, so that the command line's parser may read it.
"""

MAX_SEED = 2**63 - 1
MAX_STEPS = 1000
"""As many as there are timesteps in training; a model set with fewer has fewer."""
MAX_GUIDANCE_SCALE = 100
MAX_RING = 128
"""Pixels of growth or feather."""
MAX_CONTEXT = 10
MAX_STRIDE = 10
"""Levels of an inversion that one noise prediction may serve."""
MAX_RETRIES = 5
"""Sweeps after an edit that fails its check."""
