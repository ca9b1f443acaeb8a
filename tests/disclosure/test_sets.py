import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.core import CoreError
from byline.disclosure import SortedSet
from byline.disclosure.sets import verify_absent, verify_member

WORDS = st.text("abcdef", min_size=1, max_size=3)


@settings(max_examples=300)
@given(st.sets(WORDS, max_size=12), WORDS)
def test_a_word_is_shown_to_be_in_or_not_in_and_never_both(words, word):
    held = SortedSet(words)
    if word in words:
        assert verify_member(held.prove_member(word), held.size, held.root)
        with pytest.raises(CoreError) as fault:
            held.prove_absent(word)
        assert fault.value.code == "is-a-leaf"
    else:
        assert verify_absent(held.prove_absent(word), held.size, held.root)
        with pytest.raises(CoreError) as fault:
            held.prove_member(word)
        assert fault.value.code == "no-such-leaf"


@settings(max_examples=300)
@given(st.sets(WORDS, min_size=1, max_size=12), st.data())
def test_no_proof_hides_a_word_that_is_there(words, data):
    """Any two placed words, neighbours or not, under any claimed size: the word between them is not proved absent."""
    held = SortedSet(words)
    hidden = data.draw(st.sampled_from(held.words))
    ends = [None, *(held.prove_member(word) for word in held.words)]
    before, after = data.draw(st.sampled_from(ends)), data.draw(st.sampled_from(ends))
    proof = {"word": hidden, "before": before, "after": after}
    assert not verify_absent(proof, held.size, held.root)


def test_a_proof_is_of_one_set_and_one_size():
    held, other = SortedSet(["a", "c", "e"]), SortedSet(["a", "c", "f"])
    proof = held.prove_absent("b")
    assert not verify_absent(proof, held.size, other.root)
    assert not verify_absent(proof, 2, held.root)
    last = held.prove_absent("g")  # at the end of the set a false size would hide what follows
    assert verify_absent(last, 3, held.root) and not verify_absent(last, 4, held.root)
    assert not verify_member(held.prove_member("a") | {"word": "b"}, held.size, held.root)
    assert not verify_member(held.prove_member("a") | {"index": True}, held.size, held.root)
    assert not verify_absent({"word": "b", "before": None, "after": None}, 3, held.root)
