"""From a device and a model file to a variant that may be loaded."""
