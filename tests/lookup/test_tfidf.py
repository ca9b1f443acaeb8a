"""TF-IDF against scikit-learn's on the same words, and what has no words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from byline.lookup import TFIDF, words

WORDS = st.lists(st.sampled_from(["the", "treaty", "sugar", "tribes", "of", "canal", "Don’t"]), max_size=12)


def cut(text):
    return [word for word, _, _ in words(text)]


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=6), WORDS)
def test_it_is_scikit_learns_on_the_same_words(documents, query):
    texts = {f"d{n}": " ".join(each) for n, each in enumerate(documents)}
    said = " ".join(query)
    found = TFIDF(texts).scores(said)
    if not any(documents):
        assert not found.any()
        return
    theirs = TfidfVectorizer(sublinear_tf=True, analyzer=cut)
    rows = theirs.fit_transform(texts.values())
    assert np.allclose(found, (theirs.transform([said]) @ rows.T).toarray()[0], atol=1e-12)


def test_other_texts_are_weighed_by_the_documents_frequencies():
    texts = {"a": "the treaty with the tribes", "b": "a tariff on sugar", "c": ""}
    index = TFIDF(texts)
    query = "the tariff of the tribes"
    assert index.likeness(query, list(texts.values())) == pytest.approx(index.scores(query))
    assert index.likeness(query, ["words that nobody wrote"]).tolist() == [0]
    assert index.likeness(query, []).shape == (0,)
    assert index.scores("a tariff on sugar")[1] == pytest.approx(1)
    assert not index.scores("... !").any() and not TFIDF({}).scores("the").any()
