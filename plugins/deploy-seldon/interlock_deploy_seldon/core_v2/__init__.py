"""The target ``core-v2``: manifests of Seldon Core v2, applied through the Kubernetes API."""
