"""Reference trainings, deterministic and replayable: the demo's model, and the truth that retraining shows."""

from byline.training.corpus import Corpus, build_corpus, train_tokenizer
from byline.training.folder import load_corpus, load_model, save_corpus, save_model
from byline.training.language_model import (
    LanguageTask,
    excess_log_likelihood,
    generate,
    mean_log_likelihood,
    new_model,
    new_optimizer,
    new_plan,
    pretrain,
    single_thread,
    token_log_likelihood,
    train,
    unigram,
)
from byline.training.loop import Plan, Trained, fit
from byline.training.recipe import Recipe
from byline.training.retrain import Job, Outcome, Query, Retraining, measure_query, run_job

__all__ = [
    "Corpus",
    "Job",
    "LanguageTask",
    "Outcome",
    "Plan",
    "Query",
    "Recipe",
    "Retraining",
    "Trained",
    "build_corpus",
    "excess_log_likelihood",
    "fit",
    "generate",
    "load_corpus",
    "load_model",
    "mean_log_likelihood",
    "measure_query",
    "new_model",
    "new_optimizer",
    "new_plan",
    "pretrain",
    "run_job",
    "save_corpus",
    "save_model",
    "single_thread",
    "token_log_likelihood",
    "train",
    "train_tokenizer",
    "unigram",
]
