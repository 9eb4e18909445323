import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.errors import FormatError, RdzipError
from rdzip.formats import cbor

scalars = (
    st.integers(-(2**64), 2**64 - 1)
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.booleans()
    | st.none()
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 1000) | st.text("abc"), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(values)
def test_round_trip_and_agreement_with_cbor2(value):
    try:
        data = cbor.dumps(value)
    except ValueError:  # nested deeper than allowed
        return
    assert data == cbor2.dumps(value)
    assert cbor.loads(data) == value


@given(st.floats())
def test_floats_come_back_bit_for_bit(value):
    assert cbor.dumps(cbor.loads(cbor.dumps(value))) == cbor.dumps(value)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_in_its_only_form_or_refused(data):
    try:
        value = cbor.loads(data)
    except FormatError:
        return
    assert cbor.dumps(value) == data


@pytest.mark.parametrize(
    "data", ["9bffffffffffffffff", "5bffffffffffffffff", "1801", "c249010000000000000000", "9f01ff", "81" * 40 + "01"]
)
def test_hostile_encodings_are_refused(data):
    with pytest.raises(RdzipError, match="corrupt"):
        cbor.loads(bytes.fromhex(data))
