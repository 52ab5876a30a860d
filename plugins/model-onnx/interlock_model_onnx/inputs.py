"""What is known of a model's inputs without converting one."""

NULL = "interlock.null"
"""The key of the model's metadata with the text that stands for a missing string."""
