"""Continued training of domain experts. TRL and PEFT do the loop; corpora and records are ours."""
