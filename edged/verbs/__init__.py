"""Verbs of the command line that work on this machine and not through the broker."""
