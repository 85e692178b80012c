"""Sources of text: where they come from, under which licence, and how they become documents."""
