"""Model objects: equality, copies, and the readings they accept."""

import pytest

from edge_lasso_runtime.model import Factor, Input, Model, Output, Term


def model():
    inputs = (Input("a", 0, 1.0, 0.0, 2.0), Input("b", 1, None, None, None, categories=("x", "y")))
    terms = (Term(2.0, (Factor(0),)), Term(1.0, (Factor(0), Factor(1, 1))))
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms),))


def test_equality_is_by_content_and_type():
    assert model() == model()
    assert model() != model().replace(policy="clamp")
    assert model() != model().replace(provenance={"rows": 1})
    assert Factor(0) != Factor(0, 0)
    assert Factor(0) != (0, None)


def test_replace_returns_a_changed_copy():
    first = model()
    second = first.replace(columns=("p", "q"))
    assert (first.columns, second.columns) == (("a", "b"), ("p", "q"))
    assert second.inputs is first.inputs
    with pytest.raises(TypeError):
        first.replace(colour="red")


def test_objects_hold_nothing_else_and_cannot_be_keys():
    with pytest.raises(AttributeError):
        model().colour = "red"
    with pytest.raises(TypeError):
        hash(model())


def test_replace_updates_what_is_derived():
    steep = Output("y", 0.0, (Term(2.0**100, (Factor(0),)),))
    assert model().limit == 2.0**100
    assert model().replace(outputs=(steep,)).limit == 2.0**26


def test_degree_and_repr():
    assert model().degree == 2
    assert model().replace(outputs=(Output("y", 0.0, ()),)).degree == 0
    assert repr(Factor(3, 1)) == "Factor(category=1, hinge=None, input=3, step=None)"
    assert "Term(coef=2.0" in repr(model())
