"""The compiled loops of cpu.py: each walks the elements [start, stop) of one tensor, block by block.

`addresses` and `kinds` [m + 1] describe the models in order and the base last (blocks.py).
"""
