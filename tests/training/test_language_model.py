"""The reference training: deterministic, and a counterfactual is the same training with examples at weight zero."""

import dataclasses
import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F

from byline.capture import weights_digest
from byline.store import open_store
from byline.training import Recipe, generate, mean_log_likelihood, new_model, pretrain, single_thread, train, unigram
from byline.training.language_model import LanguageTask, new_plan
from byline.training.loop import Plan, weighted_loss


def trained(corpus, recipe, **options):
    return train(pretrain(corpus, recipe), corpus, recipe, **options)


def test_same_recipe_same_weights_whatever_the_threads(corpus, recipe):
    first = trained(corpus, recipe)
    torch.manual_seed(99)
    torch.set_num_threads(2)
    again = trained(corpus, recipe)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert weights_digest(first.model) == weights_digest(again.model) and first.losses == again.losses
    other = dataclasses.replace(recipe, seed=4)
    assert weights_digest(first.model) != weights_digest(trained(corpus, other).model)


def test_recording_changes_no_bit_and_sees_every_visit(corpus, recipe, tmp_path):
    recorded = trained(corpus, recipe, record_to=tmp_path / "run")
    assert weights_digest(recorded.model) == weights_digest(trained(corpus, recipe).model)
    store = open_store(tmp_path / "run")
    batches = new_plan(corpus, recipe).rows
    seen = [corpus.examples[row].id for rows in batches for row in rows]
    assert [store.example_ids[n] for n in store.examples_N] == seen
    assert store.n_steps == len(batches) == len(recorded.losses)


def test_weight_zero_is_absence_with_the_same_denominator(corpus, recipe):
    """Against a loop by hand that never shows the left-out examples to the model."""
    weights_N = torch.ones(len(corpus.examples))
    weights_N[::3] = 0
    fast = trained(corpus, recipe, weights_N=weights_N)
    model = pretrain(corpus, recipe)
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, recipe.beta2), eps=recipe.epsilon, weight_decay=recipe.weight_decay
    )
    batches = new_plan(corpus, recipe).rows
    for step, rows in enumerate(batches):
        warm = min(1, (step + 1) / max(1, round(recipe.warmup * len(batches))))
        optimizer.param_groups[0]["lr"] = (
            recipe.learning_rate * warm * (1 + math.cos(math.pi * step / len(batches))) / 2
        )
        loss = torch.zeros(())
        for row in rows:
            if weights_N[row]:
                tokens = corpus.tokens_NT[row : row + 1]
                nll = F.cross_entropy(model(input_ids=tokens).logits[0, :-1], tokens[0, 1:])
                loss = loss + nll / recipe.batch
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        optimizer.zero_grad()
        assert loss.item() == pytest.approx(fast.losses[step], rel=1e-4)
    for a, b in zip(model.parameters(), fast.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-4)
    assert weights_digest(fast.model) != weights_digest(trained(corpus, recipe).model)


def test_loss_falls_below_the_unigram(corpus, recipe):
    longer = dataclasses.replace(recipe, epochs=40, learning_rate=1e-2)
    model = new_model(longer)
    losses = train(model, corpus, longer).losses
    entropy = -float(unigram(corpus, longer)[corpus.held_out_MT[:, 1:]].mean())
    assert losses[0] > entropy > sum(losses[-5:]) / 5
    assert -float(mean_log_likelihood(model, corpus.held_out_MT).mean()) < entropy


def test_the_base_model_learns_from_base_text_alone(corpus, recipe):
    without = dataclasses.replace(corpus, base_BT=corpus.base_BT[:0])
    assert weights_digest(pretrain(without, recipe)) == weights_digest(new_model(recipe))
    other = dataclasses.replace(corpus, tokens_NT=corpus.tokens_NT * 0)
    steps = []
    base = pretrain(other, recipe, lambda *progress: steps.append(progress[:2]))
    assert weights_digest(base) == weights_digest(pretrain(corpus, recipe)) != weights_digest(new_model(recipe))
    assert steps == [(1, 2), (2, 2)]


def test_unigram_counts_and_raises_by_one(corpus, recipe):
    counts = Counter(corpus.tokens_NT.flatten().tolist())
    total = sum(counts.values()) + recipe.vocabulary
    log_p = unigram(corpus, recipe)
    for token in range(recipe.vocabulary):
        assert float(log_p[token]) == pytest.approx(math.log((counts[token] + 1) / total), rel=1e-5)
    assert float(log_p.exp().sum()) == pytest.approx(1, rel=1e-5)


@torch.no_grad()
def test_log_likelihood_is_the_loop(corpus, recipe):
    model = new_model(recipe)
    found = mean_log_likelihood(model, corpus.held_out_MT, batch=2)
    for tokens, value in zip(corpus.held_out_MT, found, strict=True):
        log_p = model(input_ids=tokens[None]).logits[0].log_softmax(-1)
        want = sum(float(log_p[t, tokens[t + 1]]) for t in range(len(tokens) - 1)) / (len(tokens) - 1)
        assert float(value) == pytest.approx(want, rel=1e-4)
    assert mean_log_likelihood(model, corpus.held_out_MT[:0]).tolist() == []
    loss = weighted_loss(LanguageTask({}), model, corpus.held_out_MT[:3], torch.tensor([1.0, 0.0, 0.5]))
    assert float(loss) == pytest.approx(-float(found[0] + 0.5 * found[2]) / 3, rel=1e-4)


def test_every_epoch_is_a_permutation_without_the_last_incomplete_batch(recipe):
    def order(examples):
        return Plan.epochs([str(n) for n in range(examples)], epochs=recipe.epochs, batch=4, rate=1e-3).rows

    batches = order(10)  # batch 4: two whole ones per epoch
    assert [len(rows) for rows in batches] == [4] * 4
    for epoch in (batches[:2], batches[2:]):
        rows = [row for batch in epoch for row in batch]
        assert len(set(rows)) == 8 and set(rows) <= set(range(10))
    assert [sorted(rows) for rows in order(3)] == [[0, 1, 2]] * recipe.epochs  # one small batch


def test_generation_follows_from_the_seed(recipe):
    model = new_model(recipe)
    one = generate(model, [1, 2, 3], 10, seed=1)
    assert one[:3] == [1, 2, 3] and len(one) == 13 and max(one) < recipe.vocabulary
    state = torch.get_rng_state()
    assert generate(model, [1, 2, 3], 10, seed=1) == one != generate(model, [1, 2, 3], 10, seed=2)
    assert torch.equal(state, torch.get_rng_state())


def test_the_number_of_threads_comes_back():
    torch.set_num_threads(2)
    with pytest.raises(ValueError), single_thread():
        assert torch.get_num_threads() == 1
        raise ValueError
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_the_recipe_is_all_there_is():
    recipe = Recipe.of("tiny", seed=7)
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.digest() == Recipe.of("tiny", seed=7).digest() != Recipe.of("tiny", seed=8).digest()
