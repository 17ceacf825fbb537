"""The recipe of the pocket model: text, tokenizer, training, export, evaluation."""
