"""Click-through-rate and sparse-feature prediction: models, blocks, data, training.

Importing `ctr` is cheap: torch is imported by the parts that need it.
"""

__version__ = "0.1.0"
