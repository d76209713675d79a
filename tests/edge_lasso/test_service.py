"""The systemd unit: models that remember score and keep their state, others predict."""

import pytest

from edge_lasso.watching.deploy import service
from edge_lasso_devices.deploy import Deployed
from edge_lasso_runtime import Factor, Input, Model, Output, Term

HERE = Deployed("v", "/home/pi/edge-lasso", None)


def model(stream=None, sections=None):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0, stream=stream))
    return Model(("a", "b"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),), sections=sections)


@pytest.mark.parametrize(
    ("one", "remembers"),
    [(model(), False), (model(("lag", "a", 1)), True), (model(sections={"detector/1": {}}), True)],
)
def test_what_the_unit_runs(one, remembers):
    text = service(one, HERE, "ssh://pi@board")
    assert ('"score" "model.json" "--state" "/var/lib/edge-lasso"\n' in text) == remembers
    assert ('"predict" "model.json" "-"\n' in text) != remembers
    assert ("StateDirectory=edge-lasso\n" in text) == remembers
    assert "User=pi\n" in text
