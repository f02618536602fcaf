"""The review: a conference's form, read from a reviewer's reply and merged from several."""

from __future__ import annotations

import json
import re
from typing import Literal

from pydantic import BaseModel, Field, ValidationError


class Review(BaseModel):
    """The form. Scores as the large machine-learning conferences ask for them."""

    summary: str = Field(min_length=1)
    strengths: list[str]
    weaknesses: list[str]
    questions: list[str]
    limitations: list[str]
    soundness: int = Field(ge=1, le=4)
    presentation: int = Field(ge=1, le=4)
    contribution: int = Field(ge=1, le=4)
    overall: int = Field(ge=1, le=10)
    confidence: int = Field(ge=1, le=5)
    decision: Literal["accept", "reject"]


def parse_review(text: str) -> Review:
    """The form in a reply's last ```json block. Raises ValueError that says which field is wrong."""
    blocks = re.findall(r"^```(?:json)?[^\n]*\n(.*?)^```[ \t]*$", text, flags=re.MULTILINE | re.DOTALL)
    try:
        return Review.model_validate(json.loads(blocks[-1] if blocks else text))
    except json.JSONDecodeError as error:
        raise ValueError(f"the review is not JSON: line {error.lineno}: {error.msg}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"in the review, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
