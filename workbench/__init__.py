"""Workbench: from domain experts to the merged checkpoint that is worth aligning."""
