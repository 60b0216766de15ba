"""The page of a user study: three pictures, three buttons, and nothing that tells which method made what."""
