"""Whatever the schema allows, and what it does not, is answered: no 500, and nothing that the schema does not show."""

import itertools

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from test_routes import ROUTES

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


NOTHING_TO_SPOIL = (("GET", "/v1/log/checkpoint"), GenerationMode.NEGATIVE)  # no parameter, no token
ASKED = [each for each in itertools.product(ROUTES, GenerationMode) if each != NOTHING_TO_SPOIL]


@pytest.mark.parametrize(
    ("route", "mode"), ASKED, ids=lambda each: each.value if isinstance(each, str) else " ".join(each)
)
def test_no_request_breaks_it(api, route, mode):
    schema = schemathesis.openapi.from_dict(api.all.get("/v1/openapi.json").json())
    schema.app = api.app
    method, path = route
    answered = []

    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        headers = {"Authorization": api.all.headers["Authorization"]}
        answered.append(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    ask()
    assert set(answered) - {401}  # negative ones spoil the token too
