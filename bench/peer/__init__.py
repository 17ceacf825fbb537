"""edged beside llama.cpp's own programs, built from the same source."""
