"""Who may ask: API keys, what each is for, and how often."""

import logging

import pytest
from asking import INFER, MODEL, ROW

from interlock_hookspecs import InvalidInput, Secret
from interlock_serving import ServerSettings, serve_endpoint
from interlock_serving.layers.rates import Rates

MOBILE, BATCH, PROBE = ("mobile-0123456789", "batch-0123456789ab", "probe-0123456789ab")
KEYS = {"mobile": Secret(MOBILE), "batch": Secret(BATCH), "probe": Secret(PROBE)}


@pytest.fixture(scope="module")
def locked(serving, target):
    rights = {"batch": ("infer",), "probe": ("metrics",)}
    with serving(target(1), api_keys=KEYS, key_rights=rights) as running:
        yield running


@pytest.fixture
def ask(locked, tensors):
    def ask(path=INFER, **headers):
        body = {"inputs": tensors(ROW)} if path == INFER else None
        return locked.call("GET" if body is None else "POST", path, body, **headers)

    return ask


def test_a_key_opens_the_endpoint(ask):
    """As a bearer token or in a header of its own."""
    assert ask(authorization=f"Bearer {MOBILE}")[0] == 200
    assert ask(authorization=f"bearer {BATCH}")[0] == 200
    assert ask(x_api_key=MOBILE)[0] == 200


@pytest.mark.parametrize("path", [INFER, MODEL, f"{MODEL}/ready", "/v2", "/docs", "/openapi.json"])
def test_without_a_key_nothing_is_told(ask, path):
    """No key is 401, and the answer says how to send one."""
    status, headers, value = ask(path)
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert value == {
        "error": "no API key: send it as 'authorization: Bearer KEY' or 'x-api-key: KEY'"
    }


@pytest.mark.parametrize(
    "wrong", [MOBILE[:-1], MOBILE + "x", MOBILE.upper(), "", "caf\xe9" * 4, "x" * 5_000]
)
def test_a_wrong_key_is_refused_and_not_repeated(ask, wrong):
    """Nearly right is wrong; what was sent does not come back."""
    status, _, value = ask(x_api_key=wrong.encode("latin-1"))
    assert status == 401
    assert not wrong or wrong not in value["error"]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_health_needs_no_key(ask, path):
    """Whoever watches the process has none."""
    assert ask(path)[0] == 200


def test_a_key_is_for_what_it_is_for(ask):
    """A key with rights is refused for the rest, by its name."""
    status, _, value = ask(x_api_key=PROBE)
    assert (status, value["error"]) == (403, "the key 'probe' is not for this: it may metrics")
    assert ask(MODEL, x_api_key=BATCH)[0] == 403
    assert ask(MODEL, x_api_key=MOBILE)[0] == 200


def test_the_document_says_that_a_key_is_needed(ask):
    """OpenAPI names both ways, on every path but the open ones."""
    described = ask("/openapi.json", x_api_key=MOBILE)[2]
    assert described["components"]["securitySchemes"].keys() == {"bearer", "key"}
    paths = described["paths"]
    assert paths[INFER]["post"]["security"] == [{"bearer": []}, {"key": []}]
    assert "security" not in paths["/v2/health/ready"]["get"]
    assert "401" in paths[INFER]["post"]["responses"]


def test_keys_are_neither_logged_nor_captured(locked, ask, caplog):
    """After right and wrong ones none is in the log, in what is captured, or in the settings."""
    caplog.set_level(logging.DEBUG)
    before = len(locked.captures.all)
    ask(x_api_key=MOBILE)
    ask(x_api_key=MOBILE + "wrong")
    locked.until(lambda: len(locked.captures.all) > before)
    written = caplog.text + repr(locked.captures.all[-1]) + repr(ServerSettings(api_keys=KEYS))
    for key in (MOBILE, BATCH, PROBE):
        assert key not in written


def test_a_caller_over_its_rate_is_told_when_to_come_back(serving, target, tensors):
    """429 with Retry-After, for this caller only, and for predictions only."""
    limits = {"rate_limit": 0.001, "rate_limits": {"batch": 0}}
    with serving(target(1), api_keys=KEYS, **limits) as client:
        body = {"inputs": tensors(ROW)}
        assert client.call("POST", INFER, body, x_api_key=MOBILE)[0] == 200
        status, headers, value = client.call("POST", INFER, body, x_api_key=MOBILE)
        assert status == 429
        assert 1 <= int(headers["retry-after"]) <= 1_000
        assert value["error"].startswith("'mobile' asks too often")
        assert client.call("GET", MODEL, x_api_key=MOBILE)[0] == 200
        assert client.call("POST", INFER, body, x_api_key=PROBE)[0] == 200
        for _ in range(3):
            assert client.call("POST", INFER, body, x_api_key=BATCH)[0] == 200


def test_a_bucket_fills_at_its_rate():
    """A second's worth at once, then the rate; what is refused costs nothing."""
    now = [100.0]
    rates = Rates(4.0, {"slow": 0.5}, lambda: now[0])
    assert [rates.take("fast") for _ in range(5)] == [0, 0, 0, 0, 0.25]
    now[0] += 0.25
    assert [rates.take("fast") for _ in range(2)] == [0, 0.25]
    assert [rates.take("slow") for _ in range(2)] == [0, 2.0]
    now[0] += 3_600
    assert [rates.take("fast") for _ in range(5)] == [0, 0, 0, 0, 0.25]


def test_callers_are_forgotten_when_there_are_many():
    """However many names ask, memory is bounded."""
    rates = Rates(1.0, {}, lambda: 0.0)
    for number in range(20_000):
        rates.take(f"caller-{number}")
    assert len(rates._buckets) == 10_000
    assert rates.take("caller-19999") == 1.0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"api_keys": {"mobile": Secret("short")}}, "api_keys.mobile is no key: 16 or more"),
        ({"api_keys": {"mobile": Secret("with a blank in it")}}, "api_keys.mobile is no key"),
        ({"api_keys": {"a": Secret(MOBILE), "b": Secret(MOBILE)}}, "two of api_keys are the same"),
        ({"api_keys": KEYS, "key_rights": {"mobil": ()}}, "key_rights.mobil: no key"),
        ({"api_keys": KEYS, "rate_limits": {"mobil": 1.0}}, "rate_limits.mobil: no key"),
        ({"rate_limit": 5.0}, "set api_keys or tls_client_ca too"),
    ],
)
def test_settings_that_do_not_protect_are_refused(settings, why, client):
    """Before it listens, with the name of the setting and never a key."""
    from types import SimpleNamespace

    workspace = SimpleNamespace(log=logging.getLogger("test"))
    with pytest.raises(InvalidInput, match=why) as raised:
        serve_endpoint(
            ServerSettings(**settings),
            client.running._app.endpoint,
            client.feed,
            client.captures,
            workspace,
        )
    assert not any(key in str(raised.value) for key in (MOBILE, "short", "with a blank"))


def test_a_negative_rate_is_refused():
    """A rate is 0 or more."""
    with pytest.raises(ValueError, match=r"rate_limits.mobile is out of range"):
        ServerSettings(rate_limits={"mobile": -1.0})
