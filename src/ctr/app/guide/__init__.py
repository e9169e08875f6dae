"""What can be said to train.py: choices and keys, what differs between two runs, whether a file is right."""
