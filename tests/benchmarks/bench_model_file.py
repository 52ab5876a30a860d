"""Opening a model file of about 600 kB behind the guards, against skops alone."""

import sys
import warnings

from timing import Result, finish, interleaved, timed

PAIRS = 25
BOUND_MILLISECONDS = 10.0
SIZES = (500_000, 700_000)


def model_file() -> bytes:
    """A boosted model of a hundred trees, as model-skops writes it."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import HistGradientBoostingClassifier

    from interlock_model_skops.opening import dump_checked

    rows, labels = make_classification(20_000, 20, n_informative=8, random_state=0)
    fitted = HistGradientBoostingClassifier(early_stopping=False, random_state=0).fit(rows, labels)
    return dump_checked(fitted, allow=(), max_bytes=1 << 30)


def main() -> None:
    """Measure both in this process, and hold the difference against its bound."""
    import skops.io

    from interlock_model_skops.opening import load_checked

    warnings.simplefilter("ignore")
    data = model_file()
    if not SIZES[0] <= len(data) <= SIZES[1]:
        sys.exit(f"the model file has {len(data):,} bytes: not the size that is asked for")
    named = skops.io.get_untrusted_types(data=data)
    ours, theirs = interleaved(
        lambda: timed(lambda: load_checked(data, allow=(), max_bytes=1 << 30)),
        lambda: timed(lambda: skops.io.loads(data, trusted=named)),
        pairs=PAIRS,
    )
    finish(
        Result(
            name=f"the guards of a model file of {len(data) / 1e3:.0f} kB",
            value=(ours.wall - theirs.wall) * 1e3,
            unit="ms",
            bound=BOUND_MILLISECONDS,
            medians=f"{ours.wall * 1e3:.1f} ms, {theirs.wall * 1e3:.1f} ms by skops alone",
        )
    )


if __name__ == "__main__":
    main()
