"""A swap of tools: what of one stack moves to another, planned as a value and done as planned."""
