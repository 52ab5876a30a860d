"""Serving: the server process of an endpoint, what it is fed, and what it captures."""
