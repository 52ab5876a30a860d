"""The life of a model: stages in order, each recorded before it starts and after it ends."""
