"""Models behind a provider, asked through litellm.

litellm's own retries know no total patience, print, and cannot tell the user what they wait for; so each
request is sent once, and what is worth another try is tried again here, with a growing pause or the one the
provider asks for.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from orchestrator.budget import Most
from orchestrator.coders.seams import Message
from orchestrator.errors import BadInput, Failed, LimitReached, OrchError
from orchestrator.records import Exchange

PATIENCE = 600.0
"""Seconds that a provider may go without a reply, pauses included; `ORCH_PATIENCE` sets it."""
REQUEST_TIMEOUT = 600.0
"""Seconds one request may take; `ORCH_REQUEST_TIMEOUT` sets it."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
MOST_OUTPUT = 16_384
"""Tokens that one reply may have at most, where the model allows more; longer ones are continued."""
UNKNOWN_OUTPUT = 8_192
"""The same for a model whose limit is not known. `ORCH_MAX_OUTPUT_TOKENS` sets both."""
_MESSAGE_TOKENS, _REQUEST_TOKENS = 16, 64
_LOCAL_BY_DEFAULT = ("ollama", "ollama_chat", "lm_studio", "llamafile")
_RETRIED = (
    "RateLimitError",
    "InternalServerError",
    "ServiceUnavailableError",
    "BadGatewayError",
    "APIConnectionError",
    "Timeout",
    "APIError",
    "APIResponseValidationError",
)
_REFUSED = ("AuthenticationError", "PermissionDeniedError", "NotFoundError", "LiteLLMUnknownProvider")
_REFUSED_STATUS = (401, 403, 404)


def _litellm() -> Any:
    """litellm, told to be quiet and to take its prices from the installed table."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = True
    return litellm


def require_key(model: str) -> None:
    """Whether the model can be asked as far as this machine knows. Raises BadInput: no such provider, no key."""
    _provider_of(model)
    checked = _litellm().validate_environment(model)
    missing = [name for name in checked["missing_keys"] if not name.endswith("_API_BASE") or not _is_local(model)]
    if missing and not checked["keys_in_environment"]:
        hint = " (any word will do for a server that asks for none)" if _is_local(model) else ""
        raise BadInput(f"{model}: needs {' and '.join(missing)} in the environment{hint}")


def _provider_of(model: str) -> str:
    try:
        return str(_litellm().get_llm_provider(model)[1])
    except Exception:
        raise BadInput(
            f"{model}: no provider of this name is known; name a model as litellm does, e.g. anthropic/…, openai/…, "
            "ollama_chat/…\na server of your own is openai/NAME with OPENAI_API_BASE set; a recording is cassette:FILE"
        ) from None


def _api_base(model: str) -> str:
    """The address that requests go to, where the environment or the kind of provider says it; else empty."""
    provider = _provider_of(model)
    family = provider.removesuffix("_chat").upper()
    names = [f"{family}_API_BASE", f"{family}_BASE_URL"]
    given = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return given or ("http://localhost" if provider in _LOCAL_BY_DEFAULT else "")


def _is_local(model: str) -> bool:
    """Whether requests go to this very machine."""
    host = urlsplit(_api_base(model)).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


class Price:
    """US dollars per token. `highest_…`: the most that any tier of the model's price asks."""

    def __init__(self, table: dict[str, Any]):
        self.sent = float(table["input_cost_per_token"])
        self.received = float(table["output_cost_per_token"])
        self.highest_sent = _highest(table, ("input_cost_per_token", "cache_creation_input_token_cost"))
        self.highest_received = _highest(table, ("output_cost_per_token", "output_cost_per_reasoning_token"))


def _highest(table: dict[str, Any], beginnings: tuple[str, ...]) -> float:
    return max(float(v) for k, v in table.items() if k.startswith(beginnings) and isinstance(v, int | float))


def _table_of(model: str) -> dict[str, Any]:
    """What litellm's table says of the model; empty where it does not know it."""
    known = _litellm().model_cost
    return dict(known.get(model) or known.get(model.split("/", 1)[-1]) or {})


def price_of(model: str) -> Price | None:
    """The model's price; 0 for one on this machine that no table prices; None where it is not known."""
    table = _table_of(model)
    if table.get("input_cost_per_token") is not None and table.get("output_cost_per_token") is not None:
        return Price(table)
    return Price({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}) if _is_local(model) else None


class ProviderModel:
    """A chat model of a provider."""

    def __init__(
        self,
        name: str,
        *,
        patience: float | None = None,
        timeout: float | None = None,
        say: Callable[[str], None] | None = None,
    ):
        """`patience`, `timeout`: seconds, see `PATIENCE` and `REQUEST_TIMEOUT`. `say` is told of each wait."""
        self.name = name
        self.patience = patience if patience is not None else _setting("ORCH_PATIENCE", PATIENCE)
        self.timeout = timeout if timeout is not None else _setting("ORCH_REQUEST_TIMEOUT", REQUEST_TIMEOUT)
        self._say = say
        self._price = price_of(name)
        allowed = _table_of(name).get("max_output_tokens")
        most = min(int(allowed), MOST_OUTPUT) if allowed else UNKNOWN_OUTPUT
        self.max_output = int(_setting("ORCH_MAX_OUTPUT_TOKENS", most))

    def most(self, key: str, messages: list[Message]) -> Most:
        """A token is at least one byte, so the prompt's bytes bound its tokens whatever the tokenizer."""
        size = sum(len(m["content"].encode("utf-8")) + _MESSAGE_TOKENS for m in messages) + _REQUEST_TOKENS
        price = self._price
        usd = None if price is None else size * price.highest_sent + self.max_output * price.highest_received
        return Most(size + self.max_output, usd)

    def ask(self, key: str, messages: list[Message]) -> Exchange:
        """Raises LimitReached when patience ends or the prompt is too long; BadInput where key or name are wrong."""
        deadline, pause = time.monotonic() + self.patience, FIRST_PAUSE
        while True:
            try:
                return self._exchange(messages, self._complete(messages, deadline))
            except Exception as error:
                wait = self._pause_after(error, pause)
                if time.monotonic() + wait > deadline:
                    raise LimitReached(self._gave_up(error)) from None
                self._tell(error, wait)
                time.sleep(wait)
                pause = min(2 * pause, LONGEST_PAUSE)

    def _complete(self, messages: list[Message], deadline: float) -> Any:
        return _litellm().completion(
            model=self.name,
            messages=[dict(m) for m in messages],
            max_tokens=self.max_output,
            timeout=max(1.0, min(self.timeout, deadline - time.monotonic())),
            num_retries=0,
            max_retries=0,
        )

    def _exchange(self, messages: list[Message], response: Any) -> Exchange:
        """The reply as data. A server that counts no tokens has them counted here."""
        choice = response.choices[0] if response.choices else None
        text = (choice.message.content or "") if choice else ""
        usage = getattr(response, "usage", None)
        sent, received = getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0
        counted = sent > 0
        if not counted:
            sent = _litellm().token_counter(model=self.name, messages=[dict(m) for m in messages])
            received = _litellm().token_counter(model=self.name, text=text) if text else 0
        return Exchange(
            role="",
            model=self.name,
            text=text,
            finish_reason=(choice.finish_reason if choice else None) or "stop",
            tokens_sent=sent,
            tokens_received=received,
            cost_usd=self._cost(sent, received, response if counted else None),
        )

    def _cost(self, sent: int, received: int, response: Any) -> float | None:
        """litellm's calculation, which knows caches and tiers; from the two plain prices where it has none."""
        if self._price is None:
            return None
        plain = sent * self._price.sent + received * self._price.received
        if plain == 0 or response is None:
            return plain
        try:
            return float(_litellm().completion_cost(completion_response=response, model=self.name))
        except Exception:
            return plain

    def _pause_after(self, error: Exception, pause: float) -> float:
        """Seconds to wait before another try. Raises what the user is told where another try is no use."""
        kind = type(error).__name__
        if isinstance(error, OrchError):
            raise error
        if kind == "ContextWindowExceededError":
            raise LimitReached(
                f"{self.name}: the prompt is longer than this model takes ({_brief(error)})\n"
                "go on with a model of a longer context: orch resume SESSION --model …"
            ) from None
        if kind in _REFUSED or getattr(error, "status_code", None) in _REFUSED_STATUS:
            raise BadInput(
                f"{self.name}: the provider refuses ({_brief(error)}); check the key and the model's name"
            ) from None
        if kind == "RateLimitError" and "insufficient_quota" in str(error):
            raise LimitReached(
                f"{self.name}: the account's quota is used up ({_brief(error)}); then: orch resume SESSION"
            ) from None
        if kind not in _RETRIED:
            raise Failed(f"{self.name}: the provider cannot answer this ({_brief(error)})") from error
        return retry_after(error) or pause

    def _gave_up(self, error: Exception) -> str:
        return (
            f"{self.name}: no reply within {self.patience:.0f} s ({_brief(error)})\n"
            "nothing is lost; go on later, or with another --model: orch resume SESSION (ORCH_PATIENCE: the seconds)"
        )

    def _tell(self, error: Exception, wait: float) -> None:
        if self._say is not None:
            self._say(f"{self.name}: {_brief(error)}; trying again in {wait:.0f} s")


def retry_after(error: Exception, now: float | None = None) -> float | None:
    """Seconds that the provider's Retry-After header asks for; None where there is none that can be read."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = headers.get("retry-after") or (getattr(error, "litellm_response_headers", None) or {}).get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - (time.time() if now is None else now))
    except (TypeError, ValueError):
        return None


def _setting(name: str, default: float) -> float:
    try:
        return float(os.environ.get(name) or default)
    except ValueError:
        raise BadInput(f"{name}={os.environ[name]}: a number is needed") from None


def _brief(error: Exception) -> str:
    """The error's first line, without the class names that litellm puts before it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^(?:litellm\.)?(?:\w+(?:Error|Exception|Timeout)\s*[:-]\s*)+", "", lines[0])[:300]
