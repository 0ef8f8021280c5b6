import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.access.callers import Caller, ForbiddenError, HiddenGalleryError, Scope, everything, parse_scopes
from app.access.gate import Gate, InvalidKeyError
from app.access.keys import KeyStore
from app.access.opening import UnsafeStartError, is_loopback, keys_url, open_gate
from app.access.secrets import new_key
from app.cli import main

INFER = frozenset({Scope.INFER})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    with KeyStore(keys_url(tmp_path)) as store:
        yield store


def test_a_key_admits_its_caller_with_its_scopes_and_galleries(store: KeyStore) -> None:
    key = store.create("robot", frozenset({Scope.INFER, Scope.QUERY}), frozenset({"lab"}))

    caller = Gate(store).admit(str(key), "10.0.0.1")

    assert caller == Caller(key.key_id, frozenset({Scope.INFER, Scope.QUERY}), frozenset({"lab"}))


@pytest.mark.parametrize("presented", [None, "", "gk_", "Bearer", "gk_000000000000_" + "0" * 48])
def test_what_is_no_key_of_the_service_is_refused(store: KeyStore, presented: str | None) -> None:
    store.create("robot", INFER, None)

    with pytest.raises(InvalidKeyError):
        Gate(store).admit(presented, "")


def test_a_wrong_secret_is_refused_also_after_the_right_one_was_seen(store: KeyStore) -> None:
    gate, key = Gate(store), store.create("robot", INFER, None)
    gate.admit(str(key), "")

    with pytest.raises(InvalidKeyError):
        gate.admit(f"gk_{key.key_id}_{new_key().secret}", "")


def test_a_revoked_key_is_refused_at_once_by_a_gate_that_remembers_it(store: KeyStore) -> None:
    gate, key = Gate(store), store.create("robot", INFER, None)
    gate.admit(str(key), "")

    assert store.revoke(key.key_id)

    with pytest.raises(InvalidKeyError):
        gate.admit(str(key), "")
    assert not store.revoke(key.key_id)


def test_keys_outlive_the_process_and_their_secrets_are_not_on_disk(tmp_path: Path) -> None:
    with KeyStore(keys_url(tmp_path)) as store:
        key = store.create("robot", INFER, None)

    with KeyStore(keys_url(tmp_path)) as again:
        assert Gate(again).admit(str(key), "").name == key.key_id
    assert all(key.secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_the_gallery_is_hidden_before_a_missing_scope_is_told() -> None:
    caller = Caller("k", INFER, frozenset({"lab"}))

    with pytest.raises(HiddenGalleryError):
        caller.require(Scope.ERASE, "elsewhere")
    with pytest.raises(ForbiddenError, match="'erase'"):
        caller.require(Scope.ERASE, "lab")


def test_admin_may_do_everything_everywhere() -> None:
    caller = Caller("k", frozenset({Scope.ADMIN}))

    for scope in Scope:
        caller.require(scope, "anywhere")


def test_an_unknown_scope_is_named() -> None:
    with pytest.raises(ValueError, match="'root' is unknown; choose of infer, query, enroll, erase, admin"):
        parse_scopes(["infer", "root"])


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False), ("lab.local", False)],
)
def test_loopback_is_known(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_without_keys_a_service_is_open_on_loopback_alone(store: KeyStore) -> None:
    assert open_gate("auto", "127.0.0.1", store).admit(None, "127.0.0.1") == everything("127.0.0.1")

    with pytest.raises(UnsafeStartError, match=r"keys create.*GAITKEEPER_ACCESS=open"):
        open_gate("auto", "0.0.0.0", store)
    with pytest.raises(UnsafeStartError, match="there are none"):
        open_gate("keys", "127.0.0.1", store)
    assert open_gate("open", "0.0.0.0", store).is_open


def test_once_there_are_keys_loopback_needs_one_too(store: KeyStore) -> None:
    store.create("robot", INFER, None)

    assert not open_gate("auto", "127.0.0.1", store).is_open


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    folder = ["--data-dir", str(tmp_path / "data")]

    made = run(main, ["keys", "create", "robot", "--scope", "query", "--gallery", "lab", *folder])
    listed = run(main, ["keys", "list", *folder])
    key_id = made.stdout.split("_")[1]
    revoked = run(main, ["keys", "revoke", key_id, *folder])
    again = run(main, ["keys", "revoke", key_id, *folder])

    assert made.exit_code == listed.exit_code == revoked.exit_code == 0
    assert key_id in listed.stdout
    assert made.stdout.strip().split("_")[2] not in listed.stdout
    assert again.exit_code == 1
    assert "revoked" in run(main, ["keys", "list", *folder]).stdout
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("galleries", "reason"),
    [(["lab", "../lab"], "--gallery is '../lab'"), ([""], "--gallery is ''"), (["lab", "lab"], "'lab' is given twice")],
)
def test_a_key_is_bound_to_galleries_that_can_be_and_to_each_once(
    galleries: list[str], reason: str, tmp_path: Path
) -> None:
    bound = [word for name in galleries for word in ("--gallery", name)]

    result = CliRunner().invoke(
        main, ["keys", "create", "x", "--scope", "query", *bound, "--data-dir", str(tmp_path / "data")]
    )

    assert result.exit_code == 1
    assert reason in result.stderr
    assert not (tmp_path / "data").exists()


def test_an_admin_key_cannot_be_bound_to_a_gallery(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["keys", "create", "x", "--scope", "admin", "--gallery", "lab", "--data-dir", str(tmp_path)]
    )

    assert result.exit_code == 1
    assert "cannot be bound" in result.stderr
