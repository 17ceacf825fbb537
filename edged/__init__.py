"""edged: answers MQTT prompts with a local language model on a single-board computer."""

__version__ = "0.1.0"
