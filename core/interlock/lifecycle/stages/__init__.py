"""The stages of a run, one module each: what goes in, and what is done."""
