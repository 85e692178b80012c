"""Searches for the numbers of a merge: the space, the recipes to start from, the sampler."""
