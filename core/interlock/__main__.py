"""``python -m interlock``."""

from interlock.cli.main import console

if __name__ == "__main__":
    console()
