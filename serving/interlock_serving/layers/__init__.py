"""What may stand before the application: who may ask, who is told, what is described."""
