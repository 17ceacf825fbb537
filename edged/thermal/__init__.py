"""From a temperature to a pace, and the panel on the board's pins."""
