"""bergson 2.5.1: its EK-FAC pipeline, run by its own command on a saved model and token data sets, full dimension.

The queries' loss is minus their likelihood, and its scores are told to be positive for proponents, so nothing is
turned round. Language models only: bergson reads transformers' causal models.
"""

import shutil
import subprocess
import sys

import torch
from baselines.gradients import passes
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

OPTIONS = {
    "method": "kfac",
    "hessian_cfg.ev_correction": True,
    "projection_dim": 0,
    "index_cfg.precision": "fp32",
    "hessian_pipeline_cfg.inversion_cfg.inversion": "damped_inverse",
    "hessian_pipeline_cfg.inversion_cfg.damping_factor": 0.1,
    "query.aggregation": "none",
    "token_batch_size": 128,
}


def run(bench, recorded, folder):
    if not bench.example_texts:
        raise NotImplementedError("the task's model is not a transformers causal language model")
    folder = folder / "bergson"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recorded.model.save_pretrained(folder / "model")
    vocabulary = {str(n): n for n in range(recorded.model.config.vocab_size)}
    words = Tokenizer(WordLevel(vocabulary, unk_token="0"))
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=128, eos_token="0").save_pretrained(
        folder / "model"
    )
    _save(bench.task.batch(bench.example_ids, 0), folder / "examples")
    _save(torch.stack(recorded.queries), folder / "queries")
    options = [part for name, value in OPTIONS.items() for part in (f"--{name}", str(value))]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "bergson",
            "ekfac",
            str(folder / "run"),
            "--model",
            str(folder / "model"),
            "--data.dataset",
            str(folder / "examples"),
            "--query.dataset",
            str(folder / "queries"),
            *options,
        ],
        check=True,
    )
    scores_NQ = _scores(folder / "run")
    return {"peer-bergson": (scores_NQ.T, passes(bench, recorded, fixed=3.0), OPTIONS)}


def _save(tokens_NT, path):
    rows = tokens_NT.tolist()
    Dataset.from_dict({"input_ids": rows, "labels": rows, "length": [len(row) for row in rows]}).save_to_disk(path)


def _scores(path):
    from bergson.data import load_scores

    return load_scores(path / "scores")[:]
