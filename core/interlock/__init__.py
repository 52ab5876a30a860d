"""Interlock's engine: stacks of plugins, the lifecycle of a model, and its ledger."""
