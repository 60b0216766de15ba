"""Text as data: system prompt, task template, examples, tool descriptions."""
