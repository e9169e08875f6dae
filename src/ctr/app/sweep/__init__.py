"""Sweeps, `train.py -m`: every job a run in a process of its own, found again by its name when the command is repeated.

Hydra's launchers say when a job has its turn, and in which process. That process, the job's, waits for the run's.
"""
