"""Features of a coefficient, by number: what contexts are made of (contexts.py)."""

from __future__ import annotations

from enum import IntEnum


class F(IntEnum):
    """Features of a coefficient. Classes are logarithmic; "size" is what is expected of |coefficient|."""

    NONE = 0
    K = 1  # place in zigzag order
    END = 2  # that of the last one that is not 0
    TO_END = 3  # END - K, at most 31
    SIZE4 = 4  # size in 1/64, in 4 classes an octave; then in 2, in 1
    SIZE2 = 5
    SIZE1 = 6
    SIZE_FINE = 7  # size in 1/256, in 4, with the first frequencies apart
    RATIO = 8  # |mean| / size in 1/8
    MEAN = 9  # |mean| in 1/16
    W = 10  # |coefficients| of this frequency in other blocks, at most 7
    N = 11
    NW = 12
    NE = 13
    W3 = 14  # at most 3
    N3 = 15
    NEAR4 = 16  # weighted sum of those, of WW and of NN
    NEAR2 = 17
    DOWN = 18  # |coefficients| of this block at the next vertical, horizontal frequency, at most 7; both, at most 3
    RIGHT = 19
    DIAGONAL = 20
    BLOCK3 = 21  # their sum
    SUM = 22  # sum of |coefficients| of this block so far
    COUNT = 23  # how many are not 0
    LEFT = 24  # |what the edges leave| in 1/8
    TOP = 25
    APART = 26  # how far apart both are
    A = 27  # |other component| in 1/4 steps
    B = 28
    ROW = 29  # sums of |coefficients| of this block with the same vertical, horizontal frequency
    COLUMN = 30
    END_W = 31  # ends of neighbours in 1/4
    END_N = 32
    END4 = 33
    SUM_W = 34  # sums of |coefficients| of neighbours
    SUM_N = 35
    LOCAL_RATIO = 36  # |mean by the fit that forgets soon| / size
    FRACTION = 37  # of a DC's prediction in 1/16
    ERROR_W = 38  # errors of DC nearby
    ERROR_N = 39
    ERRORS = 40
    SLOPES = 41  # sum of the first two |AC|
    # of a sign; all signs are relative to the mean's
    SIGN_RATIO = 42  # |mean| / size in 1/16
    SIGN_MEAN = 43  # |mean| in 1/32
    MAGNITUDE = 44  # exponent of the coefficient, at most 3
    SIGN_LEFT = 45
    SIGN_TOP = 46
    SIGNS_NEAR = 47  # of W and N, at most 1 each
    SIGNS_BLOCK = 48  # of the four next vertical and horizontal frequencies
    SIGN_A = 49
    SIGN_B = 50
    VALUE = 51  # |coefficient|
    SIGN_LOCAL = 52
    EXPONENT = 53  # at most 15
    DISTANCE = 54  # of a decision's threshold from the mean, by size
