"""Reports: what they can be made of, and how the parts of each are read."""
