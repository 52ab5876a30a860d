"""Promotion: one version, with the evidence for it, from one stack and its ledger to another."""
