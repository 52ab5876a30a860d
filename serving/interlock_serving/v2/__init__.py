"""The Open Inference Protocol V2: what requests hold and answers say. Pure functions, no server."""
