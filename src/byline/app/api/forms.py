"""What requests hold and what answers look like: the shapes that /v1/openapi.json shows."""

import base64
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, model_validator

Told = dict[str, Any]
BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
MOST_BASE64 = 1_900_000  # characters, for a request ends at two million


def _plain(text: str) -> str:
    """Text that every database and file can hold."""
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
        raise ValueError("holds a character that is no text: NUL or half of a pair")
    return text


def _line(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("is not one line of text without spaces around it")
    return text


def _unpacked(given: object) -> bytes:
    if not isinstance(given, str) or len(given) > MOST_BASE64:
        raise ValueError(f"is not base64 of at most {MOST_BASE64:,} characters")
    return base64.b64decode(given, validate=True)


Text = Annotated[str, AfterValidator(_plain)]
Line = Annotated[Text, AfterValidator(_line)]


class Form(BaseModel):
    """A request: nothing in it goes unread."""

    model_config = ConfigDict(extra="forbid", strict=False)


class ErrorWords(BaseModel):
    code: str = Field(description="Stable; docs/errors.md lists all.")
    what: str
    fix: str


class ErrorAnswer(BaseModel):
    error: ErrorWords


# --- outputs


class ShareForm(Form):
    work: Line = Field(max_length=200, description="Id of a work.")
    share: str = Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?%$", description="Such as 12.5%.")


class OutputForm(Form):
    """An output of a model that money was received for."""

    output: Line = Field(min_length=1, max_length=200, description="Your own name of it; each can be registered once.")
    received: date = Field(description="Day on which the money was received.")
    licensee: Line = Field(min_length=1, max_length=200, description="Who paid.")
    amount: str = Field(pattern=r"^[0-9]{1,10}(\.[0-9]{1,9})?$", description="Major units, such as 0.0125.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.")
    shares: list[ShareForm] = Field(
        default=[], max_length=1000, description="If they were agreed; else it follows the period's attribution."
    )


class OutputAnswer(BaseModel):
    id: str
    event: str = Field(description="The revenue event, as byline settle reads it.")
    output: str
    received: date
    licensee: str
    amount_nano: str
    currency: str
    shares: list[Told]
    recorded: str
    settled: bool


# --- attributions


class PassageForm(Form):
    text: Text = Field(min_length=1, max_length=20_000)
    title: Line = Field(default="text", min_length=1, max_length=200)


class AttributionForm(Form):
    """Texts whose origin is asked. The answer is for reading; no money follows from it."""

    texts: list[PassageForm] = Field(min_length=1, max_length=32)
    training: str = Field(default="main", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


class JobAnswer(BaseModel):
    id: str
    state: Literal["queued", "running", "done", "failed"]
    doing: str
    done: int
    of: int
    created: str
    status: str = Field(description="Where to ask how far it is.")
    result: Told | None = None
    error: ErrorWords | None = None


# --- look-ups, opt-outs


class LookupForm(Form):
    """A text, or a file of any of the three kinds: one of the two."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["text"]}, {"required": ["file"]}]})

    text: Text = Field(default="", min_length=1, max_length=200_000)
    file: Annotated[bytes, BeforeValidator(_unpacked)] = Field(
        default=b"",
        description="A picture, a sound or a text in base64; what its bytes say counts. Of a picture 1,280 pixels a "
        "side are compared, so send no larger one; of a sound the first ten minutes.",
        json_schema_extra={"format": "byte", "pattern": BASE64, "maxLength": MOST_BASE64, "minLength": 4},
    )
    all: StrictBool = Field(default=False, description="Of a text, every passage, not only the most telling ones.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if bool(self.text) == bool(self.file):
            raise ValueError("give either text or file")
        return self


class GuardForm(Form):
    """An output of a model, whole or as far as it was written."""

    text: Text = Field(min_length=1, max_length=200_000)
    whole: StrictBool = Field(default=True, description="False: it is still written, and `text` is all of it so far.")


class GuardAnswer(BaseModel):
    action: Literal["pass", "flag", "block"]
    released: int = Field(description="Characters of the text, from its beginning, that may be shown.")
    words: int
    reasons: list[Told] = Field(description="Which limit was reached at which word, and by what measure.")
    works: Told = Field(description="Longest run against a single work, part covered by runs, nearest passage.")
    opted_out: Told = Field(description="The same against works whose contributors said no.")
    named: list[Told] = Field(description="Titles and contributors of the works that are named.")
    policy: Told = Field(description="The operator's limits.")
    policy_sha256: str
    scope: Told = Field(description="What it was held against.")


class TargetForm(Form):
    kind: Literal["work", "sha256", "iscc", "domain", "account", "collection", "contributor"]
    value: Line = Field(min_length=1, max_length=500, description="As after `byline optout`; a work by id or title.")


class OptOutForm(Form):
    """Somebody says no."""

    target: TargetForm
    by: Line = Field(min_length=1, max_length=200, description="Who says it.")
    uses: list[Literal["tdm", "train.gen", "train.other", "ground", "index", "search"]] = Field(
        default=[], max_length=6, description="Default: the first four."
    )
    from_: date | None = Field(default=None, alias="from", description="First day; default: today.")
    until: date | None = None
    reason: Text = Field(default="", max_length=2000)
    contact: Line = Field(default="", max_length=300, description="Where answers go; kept apart, never logged.")
    laws: list[Line] = Field(default=[], max_length=10, description="Whose clocks run too.")


# --- lists


class Page(BaseModel):
    items: list[Told]
    next: str | None = Field(description="Give it as `cursor` for what follows; null at the end.")
