"""From the chosen checkpoint to an aligned one: the hand-off bundle, SFT and DPO through TRL."""
