"""The child's own rooms: the only importer of llama_cpp."""
