"""From base and experts to merged checkpoints: refuse what cannot be merged, fold adapters, call mergekit, seal."""
