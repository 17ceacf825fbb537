"""From a prompt to its reply."""
