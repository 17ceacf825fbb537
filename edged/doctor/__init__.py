"""What is wrong with this board, its house and its models, with evidence and advice."""
