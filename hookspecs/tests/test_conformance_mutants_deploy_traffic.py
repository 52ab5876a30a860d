"""The deploy suite catches every server that splits or counts otherwise than it promises."""

import itertools

import attrs
from deploy_mutants import changing, impatient
from wrong_plugins import catches, each

import interlock_deploy_acme
from interlock_deploy_acme import AcmeServer
from interlock_hookspecs import hookimpl, latency_cells
from interlock_hookspecs.conformance.deploy import DeploySuite


def with_counts(function):
    """A server that tells other counts: a function of the true ones."""

    class Mutant(AcmeServer):
        @hookimpl
        def read_traffic(self, deployment):
            return function(AcmeServer.read_traffic(self, deployment))

    Mutant.__name__ = function.__name__
    return Mutant


@with_counts
def counts_all_for_each(counts):
    asked = sum(one.requests for one in counts)
    return [attrs.evolve(one, requests=asked) for one in counts]


@with_counts
def tells_one_release(counts):
    return counts[:1]


@with_counts
def takes_refusals_for_failures(counts):
    return [attrs.evolve(one, failed=one.failed + one.refused, refused=0) for one in counts]


@with_counts
def counts_no_failure(counts):
    return [attrs.evolve(one, failed=0) for one in counts]


@with_counts
def counts_answers_only(counts):
    return [attrs.evolve(one, requests=one.answered) for one in counts]


@with_counts
def times_nothing(counts):
    return [attrs.evolve(one, latencies=latency_cells()) for one in counts]


@with_counts
def forgets_the_weights(counts):
    return [attrs.evolve(one, weight=1.0) for one in counts]


@with_counts
def takes_a_mirror_for_a_release(counts):
    return [attrs.evolve(one, mirror=False) for one in counts]


@changing
def counts_a_mirror_with_the_rest():
    counted = interlock_deploy_acme._Service.count
    interlock_deploy_acme._Service.count = lambda self, target: counted(
        self, attrs.evolve(target, mirror=False, release=self.feed.current[0].target.release)
    )


@changing
def counts_anew_with_each_weight():
    counted = interlock_deploy_acme._Service.count

    def count(self, target):
        known = self.counts.setdefault("weights", {})
        if known.setdefault(target.release.id, target.weight) != target.weight:
            known[target.release.id] = target.weight
            self.counts.pop((target.release.id, target.mirror), None)
        return counted(self, target)

    interlock_deploy_acme._Service.count = count


@changing
def knows_no_keys():
    turns = itertools.cycle((0, 1))
    interlock_deploy_acme._chosen = lambda answering, asked: answering[next(turns)]


@changing
def sends_keys_to_the_first():
    chosen = interlock_deploy_acme._chosen
    interlock_deploy_acme._chosen = lambda answering, asked: (
        answering[0] if "parameters" in asked else chosen(answering, asked)
    )


@changing
def deals_keys_anew_with_each_weight():
    chosen = interlock_deploy_acme._chosen

    def choose(answering, asked):
        if "parameters" in asked:
            salt = str([one.target.weight for one in answering])
            asked = {"parameters": {"sticky_key": salt + asked["parameters"]["sticky_key"]}}
        return chosen(answering, asked)

    interlock_deploy_acme._chosen = choose


MUTANTS = [
    (counts_all_for_each, "what_each_release_was_asked_is_counted",
     "a release is counted what another was asked"),
    (tells_one_release, "what_each_release_was_asked_is_counted",
     "counts of release-1, not of release-1, release-2"),
    (takes_refusals_for_failures, "what_each_release_was_asked_is_counted",
     "a model that failed once is counted 2 times"),
    (counts_no_failure, "what_each_release_was_asked_is_counted",
     "a model that failed once is counted 0 times"),
    (counts_answers_only, "what_each_release_was_asked_is_counted",
     "of 7 requests not all are counted"),
    (times_nothing, "what_each_release_was_asked_is_counted",
     "of 5 answers 0 are counted"),
    (forgets_the_weights, "what_each_release_was_asked_is_counted",
     "weights of 1 and 0 are told as (1.0, 1.0)"),
    (takes_a_mirror_for_a_release, "what_a_mirror_was_asked_is_counted_apart",
     "does not say that it is one"),
    (counts_a_mirror_with_the_rest, "what_a_mirror_was_asked_is_counted_apart",
     "a mirror's count is another's"),
    (counts_anew_with_each_weight, "counting_goes_on_while_weights_change",
     "a change of weights begins another count"),
    (knows_no_keys, "a_sticky_key_keeps_its_release",
     "requests of one key went to 2 releases"),
    (sends_keys_to_the_first, "a_sticky_key_keeps_its_release",
     "every key goes to the first release"),
    (deals_keys_anew_with_each_weight, "a_sticky_key_keeps_its_release",
     "goes back to the first"),
]  # fmt: skip


@each(MUTANTS)
def test_the_suite_catches(mutant, test, sentence, monkeypatch):
    """A server with one broken promise fails that promise's test, in words that say it."""
    impatient(monkeypatch, sentence)
    catches(DeploySuite, lambda folder: mutant(), test, sentence)
