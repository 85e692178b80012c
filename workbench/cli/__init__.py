"""The `workbench` command: one verb a file."""
