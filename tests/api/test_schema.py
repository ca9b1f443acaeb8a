"""Whatever the schema allows, and what it does not, is answered: no 500, and nothing that the schema does not show."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from test_routes import ROUTES

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
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

    try:
        ask()
    except schemathesis.errors.SchemathesisError as fault:  # nothing about this route can be wrong
        assert mode is GenerationMode.NEGATIVE and "negative" in str(fault).lower()
        return
    assert set(answered) - {401}  # negative ones spoil the token too
