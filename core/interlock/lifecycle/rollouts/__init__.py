"""Rollouts: a release takes over an endpoint step by step, each judged by what is seen of it."""
