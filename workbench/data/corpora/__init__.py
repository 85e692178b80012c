"""What the domain experts read: the documents of each source with the task data that the source itself holds."""
