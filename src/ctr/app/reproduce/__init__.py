"""Published tables beside ours: runs what is missing, reads what has run, and says which claims hold."""
