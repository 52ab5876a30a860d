"""The target ``mlserver``: our server in front, and an MLServer that scores behind it."""
