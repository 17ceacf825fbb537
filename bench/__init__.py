"""What edged costs and keeps up with, measured."""
