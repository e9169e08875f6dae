"""Finished runs as one HTML page that needs nothing else: no server, no other file, no network."""
