"""The JSON API and the proxy: thin routes over the library, tokens, a durable queue for what takes long."""

from byline.app.api.counts import Counts, open_counts
from byline.app.api.current import Place, engine_of
from byline.app.api.jobs import Job, Queue
from byline.app.api.outputs import Outputs
from byline.app.api.proxy import proxy_app
from byline.app.api.routes import api_app, router
from byline.app.api.tokens import PER_MINUTE, SCOPES, Token, Tokens

__all__ = [
    "PER_MINUTE",
    "SCOPES",
    "Counts",
    "Job",
    "Outputs",
    "Place",
    "Queue",
    "Token",
    "Tokens",
    "api_app",
    "engine_of",
    "open_counts",
    "proxy_app",
    "router",
]
