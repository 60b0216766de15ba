"""A picture world and the small models that were trained on it."""
