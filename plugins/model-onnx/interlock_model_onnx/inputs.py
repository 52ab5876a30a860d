"""What is known of a model's inputs without converting one: how text and numbers are told apart."""

NULL = "interlock.null"
"""The key of the model's metadata with the text that stands for a missing string."""

_NUMBERS = ("int", "uint", "float", "halffloat", "double", "bool", "decimal")


def is_number(kind: str) -> bool:
    """Whether a field of this logical type becomes a number.

    >>> is_number("int64"), is_number("string")
    (True, False)
    """
    return kind.startswith(_NUMBERS)
