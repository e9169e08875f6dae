"""Settings searched for by Optuna: trials are runs of train.py, and what the search knows is in one folder."""
