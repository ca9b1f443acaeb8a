"""Examples are spans of works: named by content, apart from each other, and the same however the works are ordered."""

import dataclasses

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from byline.core import TrainingError, example_id, sha256_hex
from byline.training import Recipe, build_corpus

SHORT = dataclasses.replace(Recipe.of("tiny"), vocabulary=260, sequence=8, spans_per_work=2)
letters = st.text(st.characters(exclude_categories=["Cs"]), min_size=20, max_size=60)


def same(one, other):
    return (
        one.examples == other.examples
        and one.held_out == other.held_out
        and torch.equal(one.tokens_NT, other.tokens_NT)
        and torch.equal(one.held_out_MT, other.held_out_MT)
        and torch.equal(one.base_BT, other.base_BT)
        and one.tokenizer.to_str() == other.tokenizer.to_str()
    )


def test_the_order_of_the_works_does_not_matter(texts, recipe, corpus):
    backwards = dict(reversed(texts.items()))
    base = [text for name, text in texts.items() if name > "work:2"]
    assert same(build_corpus(texts, recipe, base), build_corpus(backwards, recipe, base))


def test_a_work_more_changes_no_span_of_its_neighbours(texts, recipe):
    """With the vocabulary of bytes alone, which no work can change."""
    recipe = dataclasses.replace(recipe, vocabulary=257)
    some = {name: text for name, text in texts.items() if name != "work:2"}
    rest = {e.id for e in build_corpus(some, recipe).examples}
    assert rest == {e.id for e in build_corpus(texts, recipe).examples if e.work != "work:2"}


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(st.sampled_from(["work:a", "work:b", "work:c"]), letters, min_size=1), st.integers(257, 300))
def test_spans_hash_right_and_never_overlap(texts, vocabulary):
    recipe = dataclasses.replace(SHORT, vocabulary=vocabulary)
    try:
        corpus = build_corpus(texts, recipe)
    except TrainingError:  # one letter again and again is a single token
        reject()
    spans = [*corpus.examples, *corpus.held_out]
    assert len({span.id for span in spans}) == len(spans)
    for span in spans:
        content = texts[span.work][span.start : span.end]
        assert 0 <= span.start < span.end <= len(texts[span.work])
        assert span.sha256 == sha256_hex(content.encode())
        assert span.id == example_id(span.work, span.start, span.end, span.sha256)
    taken = [(span.work, at) for span in spans for at in range(span.start, span.end)]
    assert len(set(taken)) == len(taken)
    assert corpus.tokens_NT.shape == (len(corpus.examples), 8)
    assert corpus.held_out_MT.shape == (len(corpus.held_out), 8)


def test_tokens_are_those_of_the_span(corpus, texts):
    for examples, tokens in ((corpus.examples, corpus.tokens_NT), (corpus.held_out, corpus.held_out_MT)):
        assert len(examples) == len(tokens) > 0
        for example, ids in zip(examples, tokens.tolist(), strict=True):
            span = texts[example.work][example.start : example.end]
            assert corpus.tokenizer.decode(ids).strip() == span.strip()


def test_spans_are_spread_over_the_work(corpus, texts, recipe):
    for work in texts:
        starts = [example.start for example in corpus.examples if example.work == work]
        assert len(starts) == recipe.spans_per_work and starts == sorted(starts)
        assert starts[0] == 0 and starts[-1] > len(texts[work]) / 2


def test_works_too_short_for_one_span(recipe):
    for texts in ({}, {"work:a": "two words"}):
        with pytest.raises(TrainingError) as fault:
            build_corpus(texts, recipe)
        assert fault.value.code == "no-text"
