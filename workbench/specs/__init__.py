"""Strict, frozen declarations of every YAML file. No torch, transformers or mergekit below this package."""
