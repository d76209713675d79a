"""How averages of whole numbers move: a part of the programs that keep some."""


def move(average, value, rate, shift):
    """An average moved towards a value by rate / 2^(15 + shift) of the way, rounded; between the two in any case."""
    d = value - average
    moved = rate * (d >> 15) + ((rate * (d & 32767) + 16384) >> 15)
    moved = (moved + ((1 << shift) >> 1)) >> shift
    return within(average + moved, average, value, "average")
