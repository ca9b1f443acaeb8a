"""The published log: the paths and bytes of the specification, and what an auditor finds in a copy that lies."""

import shutil

import pytest

from byline.core import DisclosureError, leaf_hash, sha256_hex
from byline.disclosure import (
    Log,
    Tree,
    audit_tiles,
    create_key,
    entry_hash,
    prove_growth,
    publish_tiles,
    read_checkpoint,
    tile_path,
    tiles_of,
    verify_growth,
)

SIZE = 600  # two full tiles and a partial one, and a partial tile above them


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A log of 600 leaves, published, with the head it had at 300."""
    folder = tmp_path_factory.mktemp("world")
    key, log = create_key(folder / "keys", "byline.example/log"), Log(folder / "log")
    log.append_all("opt-out", [sha256_hex(str(n).encode()) for n in range(300)])
    old = log.checkpoint(key)
    log.append_all("statement", [sha256_hex(str(n).encode()) for n in range(300, SIZE)])
    told = publish_tiles(log, key, folder / "public")
    return folder, key, log, old, told


@pytest.fixture
def copy(world, tmp_path):
    return shutil.copytree(world[0] / "public", tmp_path / "copy")


def faults(copy, key, since=None):
    return " | ".join(audit_tiles(copy, key.public, since).faults)


def test_paths_are_those_of_the_specification():
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(0, 1234067, 5) == "tile/0/x001/x234/067.p/5"
    assert tile_path("entries", 0) == "tile/entries/000"
    assert [tile_path(1, n) for n in (5, 999, 1000)] == ["tile/1/005", "tile/1/999", "tile/1/x001/000"]


def test_tiles_of_the_example_in_the_specification():
    """A tree of 70,000 leaves: 273 full tiles and one of 112; one full tile and one of 17; one of 1."""
    tiles = list(tiles_of(70_000))
    assert tiles[-4:] == [(0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert len(tiles) == 274 + 2 + 1
    assert list(tiles_of(0)) == [] and list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]


def test_tiles_hold_the_hashes_of_the_tree(world):
    folder, _, log, _, told = world
    leaves = log.leaves()
    assert (folder / "public/tile/0/001").read_bytes() == b"".join(leaves[256:512])
    assert (folder / "public/tile/0/002.p/88").read_bytes() == b"".join(leaves[512:])
    roots = [Tree(leaves[at : at + 256]).root() for at in (0, 256)]
    assert (folder / "public/tile/1/000.p/2").read_bytes() == b"".join(roots)
    assert told.files == 3 + 1 + 3 and told.without_entry == 0
    assert read_checkpoint((folder / "public/checkpoint").read_text(), world[1].public).size == SIZE


def test_entries_stand_behind_their_lengths(world):
    data = (world[0] / "public/tile/entries/002.p/88").read_bytes()
    length = int.from_bytes(data[:2], "big")
    assert leaf_hash(data[2 : 2 + length]) == world[2].leaves()[512]
    assert len(data) == 88 * (2 + length)


def test_an_honest_copy_holds(world, copy):
    _, key, _, old, _ = world
    found = audit_tiles(copy, key.public, since=old)
    assert found.faults == () and found.entries == SIZE and found.checkpoint.size == SIZE


def test_old_partial_tiles_may_be_deleted_and_full_ones_stand_in(world, tmp_path):
    _, key, _, _, _ = world
    log, public = Log(tmp_path / "log"), tmp_path / "public"
    for count in (100, 100, 100):
        log.append_all("filing", [sha256_hex(f"{len(log.leaves())}-{n}".encode()) for n in range(count)])
        publish_tiles(log, key, public)
    assert sorted(path.name for path in (public / "tile/0/000.p").iterdir()) == ["100", "200"]
    shutil.rmtree(public / "tile/0/000.p")
    assert faults(public, key) == ""
    (public / "checkpoint").write_text(Log(tmp_path / "log").checkpoint(key))
    shutil.copy(public / "tile/0/001.p/44", public / "tile/0/001")
    (public / "tile/0/001.p/44").unlink()
    assert "tile/0/001 has 1408 bytes" in faults(public, key)


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("cut", [1, 32, 4000])
def test_truncated_tiles_are_named(world, copy, path, cut):
    data = (copy / path).read_bytes()
    (copy / path).write_bytes(data[:-cut])
    assert path in faults(copy, world[1])


@pytest.mark.parametrize("path", ["tile/0/000", "tile/1/000.p/2"])
def test_missing_tiles_are_named(world, copy, path):
    (copy / path).unlink()
    assert f"{path} is missing" in faults(copy, world[1])


def test_one_changed_bit_of_a_tile_is_found(world, copy):
    data = bytearray((copy / "tile/0/001").read_bytes())
    data[77] ^= 1
    (copy / "tile/0/001").write_bytes(data)
    said = faults(copy, world[1])
    assert "do not have the signed root" in said and "tile/1/000.p/2 does not follow" in said
    assert "entry 258" in said  # 77 bytes in: the third hash of the second tile


def test_swapped_leaves_are_found(world, copy):
    data = (copy / "tile/0/000").read_bytes()
    (copy / "tile/0/000").write_bytes(data[32:64] + data[:32] + data[64:])
    assert "do not have the signed root" in faults(copy, world[1])


def test_swapped_or_false_entries_are_found(world, copy):
    path = copy / "tile/entries/000"
    data = path.read_bytes()
    size = 2 + int.from_bytes(data[:2], "big")
    path.write_bytes(data[size : 2 * size] + data[:size] + data[2 * size :])
    said = faults(copy, world[1])
    assert "entry 0 is not" in said and "entry 1 is not" in said and "entry 2" not in said
    for broken in (data[:-1], data + b"\x00\x00", b"", data[size:]):
        path.write_bytes(broken)
        assert "does not hold 256 entries" in faults(copy, world[1])


def test_entries_that_were_never_kept_are_not_published(tmp_path):
    key, log = create_key(tmp_path / "keys", "k"), Log(tmp_path / "log")
    log.append("filing", "ab" * 32)
    (log.folder / "leaves").write_text(f"{entry_hash('filing', 'ab' * 32).hex()} filing\n")
    told = publish_tiles(log, key, tmp_path / "public")
    assert told.without_entry == 1 and not (tmp_path / "public/tile/entries").exists()
    found = audit_tiles(tmp_path / "public", key.public)
    assert found.faults == () and found.entries == 0


def test_a_copy_under_another_key_is_refused(world, copy, tmp_path):
    other = create_key(tmp_path / "other", "byline.example/log")
    assert "is not a head signed by" in faults(copy, other)
    (copy / "checkpoint").unlink()
    assert "is not a head signed by" in faults(copy, world[1])


def test_a_replayed_old_head_is_told_from_a_new_one(world, copy):
    """Somebody who keeps the newest head they saw is not shown an older log again."""
    _, key, log, old, _ = world
    new = (copy / "checkpoint").read_text()
    (copy / "checkpoint").write_text(old)
    (copy / "tile/0/001.p").mkdir()
    (copy / "tile/0/001.p/44").write_bytes(b"".join(log.leaves()[256:300]))
    (copy / "tile/1/000.p/1").write_bytes((copy / "tile/1/000.p/2").read_bytes()[:32])
    assert faults(copy, key) == ""  # by itself an old copy is a good copy
    assert "it is old, or rolled back" in faults(copy, key, since=new)


def test_a_forked_log_is_found_by_a_head_that_was_kept(world, tmp_path):
    _, key, _, old, _ = world
    fork = Log(tmp_path / "fork")
    fork.append_all("opt-out", [sha256_hex(str(n if n != 7 else "another").encode()) for n in range(400)])
    publish_tiles(fork, key, tmp_path / "public")
    assert faults(tmp_path / "public", key) == ""  # each history is good by itself
    assert "the log was forked" in faults(tmp_path / "public", key, since=old)
    assert "not signed by" in faults(tmp_path / "public", key, since=old.replace("\n300\n", "\n299\n"))
    with pytest.raises(DisclosureError) as fault:
        prove_growth(fork, old, fork.checkpoint(key), key.public)
    assert fault.value.code == "forked-log"


def test_a_fork_cannot_be_published_over_the_other_history(world, tmp_path):
    folder, key, _, _, _ = world
    public = shutil.copytree(folder / "public", tmp_path / "public")
    before = {path: path.read_bytes() for path in public.rglob("*") if path.is_file()}
    fork = Log(tmp_path / "fork")
    fork.append_all("opt-out", [sha256_hex(str(-n).encode()) for n in range(SIZE)])
    with pytest.raises(DisclosureError) as fault:
        publish_tiles(fork, key, public)
    assert fault.value.code == "forked-log"
    assert {path: path.read_bytes() for path in public.rglob("*") if path.is_file()} == before


# --- proof that the log only grew ---------------------------------------------------------------------------------


def test_a_proof_of_growth_holds_between_two_heads(world):
    _, key, log, old, _ = world
    proof = prove_growth(log, old, log.checkpoint(key), key.public)
    assert verify_growth(proof, key.public).ok
    empty = prove_growth(Log(log.folder), old, old, key.public)
    assert empty["proof"] == [] and verify_growth(empty, key.public).ok


def test_heads_the_wrong_way_round(world):
    _, key, log, old, _ = world
    with pytest.raises(DisclosureError) as fault:
        prove_growth(log, log.checkpoint(key), old, key.public)
    assert fault.value.code == "bad-checkpoint"


def test_every_changed_character_of_a_proof_of_growth_is_refused(world):
    _, key, log, old, _ = world
    proof = prove_growth(log, old, log.checkpoint(key), key.public)
    for name in ("old", "new"):
        for at in range(len(proof[name])):
            wrong = proof[name][:at] + ("X" if proof[name][at] != "X" else "Y") + proof[name][at + 1 :]
            found = verify_growth(proof | {name: wrong}, key.public)
            assert not found.ok and found.changed == f"/{name}"
    for number, node in enumerate(proof["proof"]):
        for wrong in (node[:-1] + ("0" if node[-1] != "0" else "1"), node.upper(), node[:-2], "zz" * 32):
            if wrong != node:
                nodes = [*proof["proof"][:number], wrong, *proof["proof"][number + 1 :]]
                assert verify_growth(proof | {"proof": nodes}, key.public).changed == "/proof"
    for wrong in ([], None, proof["proof"][1:], [*proof["proof"], "00" * 32], 7):
        assert not verify_growth(proof | {"proof": wrong}, key.public).ok
    assert not verify_growth(proof | {"more": 1}, key.public).ok


def test_a_forged_head_is_not_continued(world, tmp_path):
    """A second history under the same key: the proof of the first does not carry over."""
    _, key, log, old, _ = world
    fork = Log(tmp_path / "fork")
    fork.append_all("opt-out", [sha256_hex(str(-n).encode()) for n in range(SIZE)])
    proof = prove_growth(log, old, log.checkpoint(key), key.public)
    found = verify_growth(proof | {"new": fork.checkpoint(key)}, key.public)
    assert [check.name for check in found.checks if not check.ok] == ["growth"]
