"""What edged says about itself."""
