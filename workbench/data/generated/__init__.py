"""Task data about documents that a language model writes, where a source has none of its own."""
