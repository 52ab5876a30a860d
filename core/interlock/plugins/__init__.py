"""Plugins: found through entry points, checked against the contract, asked through one funnel."""
