import hashlib

import pytest

from byline.core import DisclosureError
from byline.disclosure import create_key, load_key, load_public
from byline.disclosure.notes import PublicKey, decode64


def test_a_key_comes_back_from_its_folder(tmp_path):
    key = create_key(tmp_path / "keys", "byline.example/log")
    again = load_key(tmp_path / "keys")
    public = load_public(tmp_path / "keys" / "byline.pub")
    assert public == again.public == key.public == load_public(str(key.public))
    assert (tmp_path / "keys" / "byline.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["byline.key", "byline.pub"]
    assert public.accepts("hello\n", again.sign("hello\n"))
    assert not public.accepts("hellO\n", again.sign("hello\n"))


def test_the_key_id_is_the_one_of_the_specification():
    raw = bytes(range(32))
    expected = hashlib.sha256(b"example.com/foo" + bytes([0x0A, 0x01]) + raw).digest()[:4]
    assert PublicKey("example.com/foo", raw).id == expected


def test_the_example_of_the_go_note_package_verifies():
    """Written by another program (golang.org/x/mod/sumdb/note)."""
    key = load_public("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    signature = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    assert key.accepts(text, f"— PeterNeumann {signature}")
    assert not key.accepts(text.replace("think", "thing"), f"— PeterNeumann {signature}")


def test_a_signature_has_one_spelling(tmp_path):
    """The last character before the padding has bits to spare: a lax reader would accept four signatures for one."""
    key = create_key(tmp_path, "k")
    line = key.sign("text\n")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    others = [line[:-2] + letter + "=" for letter in alphabet]
    assert [other for other in others if key.public.accepts("text\n", other)] == [line]
    assert decode64("AB==") is None


def test_a_key_is_not_overwritten(tmp_path):
    key = create_key(tmp_path, "k")
    with pytest.raises(DisclosureError) as fault:
        create_key(tmp_path, "k")
    assert fault.value.code == "key-exists"
    assert load_key(tmp_path).public == key.public


def test_a_key_that_others_can_read_is_refused(tmp_path):
    create_key(tmp_path, "k")
    (tmp_path / "byline.key").chmod(0o644)
    with pytest.raises(DisclosureError) as fault:
        load_key(tmp_path)
    assert fault.value.code == "key-exposed"


@pytest.mark.parametrize("text", ["", "k", "PRIVATE+KEY+k+00000000+AQ==", "PRIVATE+KEY+k+00000000+####", "\xff"])
def test_what_is_no_private_key(tmp_path, text):
    path = tmp_path / "byline.key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(DisclosureError) as fault:
        load_key(tmp_path)
    assert fault.value.code == "bad-key"


def test_a_private_key_under_another_id_is_refused(tmp_path):
    key = create_key(tmp_path, "k")
    path = tmp_path / "byline.key"
    path.write_text(path.read_text().replace(key.public.id.hex(), "00000000"))
    with pytest.raises(DisclosureError) as fault:
        load_key(tmp_path)
    assert fault.value.code == "bad-key"


def test_what_is_no_public_key(tmp_path):
    with pytest.raises(DisclosureError) as fault:
        load_public(tmp_path / "none.pub")
    assert fault.value.code == "no-key"
    text = str(create_key(tmp_path, "k").public)
    for wrong in (text.replace("k+", "j+"), text[:-4], "a+b+c", text + "+x"):
        with pytest.raises(DisclosureError) as fault:
            load_public(wrong)
        assert fault.value.code == "bad-key"


@pytest.mark.parametrize("name", ["", "two words", "a+b", "line\n"])
def test_names_that_a_note_cannot_hold(tmp_path, name):
    with pytest.raises(DisclosureError) as fault:
        create_key(tmp_path, name)
    assert fault.value.code == "bad-key-name"
