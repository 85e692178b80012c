"""Multiple-choice questions on the twelve topics by which merges are chosen (MediPhi, arXiv 2505.10717, App. A.3).

The paper's questions were written by GPT-4o; these are made by code from open material that is in no test set.
"""
