"""The child process that runs llama.cpp, and its supervision."""
