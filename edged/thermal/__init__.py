"""From a temperature to a pace; so far it only reads."""
