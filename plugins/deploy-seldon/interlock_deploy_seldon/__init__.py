"""Serves released models through Seldon."""
