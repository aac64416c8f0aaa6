"""What a model can be made of, as plain records."""
