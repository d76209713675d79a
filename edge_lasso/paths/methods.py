"""The methods that training knows, by name: what each can do, and the module and name where it is.

A new method is a module with an instance of `method.Method`, and a line here.
"""

from __future__ import annotations

from typing import NamedTuple


class Ability(NamedTuple):
    """What a method is and can do.

    Parameters
    ----------
    module, instance : str
        In `edge_lasso.paths`.
    on_rows : bool
        It can be solved on the rows, without a Gram matrix, and by a logistic path.
    signs, groups, alphas : bool
        It takes signs (and `positive`), groups of columns, a grid of alphas and an `l1_ratio`.
    by_group : bool
        Without groups it is another method: the columns of an input always are one.
    """

    module: str
    instance: str
    on_rows: bool = False
    signs: bool = False
    groups: bool = False
    alphas: bool = True
    by_group: bool = False


METHODS = {
    "lasso": Ability("method", "LASSO", on_rows=True, signs=True),
    "relaxed": Ability("method", "RELAXED", on_rows=True),
    "adaptive": Ability("adaptive", "ADAPTIVE", signs=True),
    "group": Ability("group_path", "GROUP", groups=True, by_group=True),
    "omp": Ability("greedy", "PURSUIT", groups=True, alphas=False),
    "subset": Ability("best_subset", "SUBSET", signs=True, groups=True),
}


def that(ability: str) -> list[str]:
    """The names of the methods with an ability, such as ``"signs"``."""
    return [name for name, method in METHODS.items() if getattr(method, ability)]
