"""Connections: bytes read into requests within limits, answers written, over a socket or TLS."""
