"""The models of an endpoint: which of them answers, and how requests wait for it and are scored."""
