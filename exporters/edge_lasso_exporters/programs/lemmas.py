"""What intervals cannot see of a program, by name: each is stated here, used where a program says so, and tested.

``within(value, low, high, "mean")`` in a program says that a value is never beyond both of the others, by the lemma of
that name. Programs that run as they stand assert it; `tests/exporters/test_lemmas.py` has a test for every name.
"""

LEMMAS = {
    "average": "an average that moves at most the whole way towards a value, rounded, stays between the two",
    "mean": "the rounded mean of whole numbers lies between the smallest and the largest of them",
    "whole": "what is made whole is a number of 16 bits: a category was looked at, a reading was cut to its range",
    "sums": "the sums of a prediction stay below 2^30, in any order, as every section fixed_point/1 is checked for",
}
"""Name to statement."""
