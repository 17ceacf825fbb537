"""A simulated Raspberry Pi 5: how it heats, what the firmware does, how fast it decodes."""
