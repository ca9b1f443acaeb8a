import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from byline.lookup.words import pieces, plain_words, unfinished, words

MIXED = st.text(st.sampled_from("ab Z9'’\u00ad\u200b\u0301\u3099.,\nか猫ﾊﾟไทé한_-")) | st.text()


def names(text):
    return [word for word, _, _ in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("吾輩は猫である。名前", ["吾", "輩", "は", "猫", "で", "あ", "る", "名", "前"]),
        ("か\u3099き ﾊﾟﾝ", ["が", "き", "パ", "ン"]),  # combining and half-width marks belong to their kana
        ("abc字def", ["abc", "字", "def"]),
        ("한글 한\u1100\u1161", ["한글", "한가"]),  # Korean has spaces
        ("ไทย", ["ไ", "ท", "ย"]),
    ],
)
def test_scripts_without_spaces(text, expected):
    assert names(text) == expected


@given(MIXED)
@example("dogs' 'tis don''t '' a'-b")
def test_the_fast_way_finds_the_same_words(text):
    assert plain_words(text) == names(text)


@given(st.lists(MIXED, max_size=60).map(" ".join), st.integers(0, 2000))
def test_pieces_are_the_text_and_cut_no_word(text, more):
    text += " word" * more
    cut = list(pieces(text))
    assert "".join(piece for _, piece in cut) == text
    assert all(text[start : start + len(piece)] == piece for start, piece in cut)
    assert [word for _, piece in cut for word in names(piece)] == names(text)


@given(MIXED, MIXED)
def test_only_an_unfinished_word_is_changed_by_what_follows(text, more):
    found = words(text)
    if found and unfinished(text, found[-1][2]):
        found.pop()
    assert words(text + more)[: len(found)] == found
