"""Opens a pickled estimator and writes it as skops: ``python unpickle.py PICKLE SKOPS``.

It is run by `pickles`, in a process of its own, and imports nothing of Interlock's.
"""

import pickle
import sys
from pathlib import Path


def main(source: str, target: str) -> None:
    """Unpickle, and write."""
    try:
        import skops.io

        with Path(source).open("rb") as file:
            fitted = pickle.load(file)  # noqa: S301  (the stack names this pickle)
        skops.io.dump(fitted, target)
    except ModuleNotFoundError as error:
        sys.exit(f"it needs the module {error.name}: install it here")
    except Exception as error:  # noqa: BLE001  (a pickle raises whatever it likes)
        # Its words are the file's own, and may quote a value of a row.
        sys.exit(f"{type(error).__name__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
