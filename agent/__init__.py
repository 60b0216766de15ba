"""The conversation: the LLM, its decisions and the faces that show them."""
