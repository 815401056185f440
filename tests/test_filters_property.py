"""The filter language against texts that nobody thought of. EXAMPLES=1000 looks for longer."""

import os

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.filters import FIELDS, FilterError, as_q, clauses, held_by, literal
from contacts.models import Contact
from tests.factories import PersonFactory, UserFactory

pytestmark = pytest.mark.django_db

QUIET = settings(
    max_examples=int(os.environ.get("EXAMPLES", "80")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LETTERS = "aAbBcæÆåÅ '|&()<>=.@*?%_[]\\-1é陈"
texts = st.text(LETTERS, max_size=5)
STORED = ["", "a", "A", "ab", "Ab", "aB b", "æ", "Æå", "a|b", "a&(b)", "<a>", "a=b", "a..b", "@a", "*a", "a?", "%",
          "a_", "[a]", "\\", "O'a", "'a'", "1-1", "é", "陈a", "Å", "b", "ba", "..", "%me"]  # fmt: skip


@pytest.fixture
def people(db):
    for text in STORED:
        PersonFactory(city=text, name="x", email="")


def fits(text, pattern):
    """Whether `text` fits the list of letters and wildcards: the oracle, on its own feet."""
    if not pattern:
        return not text
    first, rest = pattern[0], pattern[1:]
    if first == ("*",):
        return any(fits(text[start:], rest) for start in range(len(text) + 1))
    return bool(text) and (first == ("?",) or first == text[0]) and fits(text[1:], rest)


@st.composite
def comparisons(draw):
    """An expression of one comparison, and the function that says which texts it means."""
    ignore_case = draw(st.booleans())
    pieces = draw(st.lists(st.one_of(texts.filter(bool), st.just(("*",)), st.just(("?",))), max_size=3))
    pieces = [
        piece
        for place, piece in enumerate(pieces)
        if isinstance(piece, tuple) or not isinstance(pieces[place - 1], str) or not place
    ]
    value = "".join(piece[0] if isinstance(piece, tuple) else literal(piece) for piece in pieces) or "''"
    pattern = [letter for piece in pieces for letter in ([piece] if isinstance(piece, tuple) else piece)]
    fold = str.lower if ignore_case else str
    folded = [letter if isinstance(letter, tuple) else fold(letter) for letter in pattern]
    at = "@" if ignore_case else ""
    if any(isinstance(letter, tuple) for letter in folded) or draw(st.booleans()):
        negated = draw(st.booleans())
        return f"{'<>' if negated else ''}{at}{value}", lambda text: fits(fold(text), folded) != negated
    plain = "".join(folded)
    operator, means = draw(
        st.sampled_from(
            [
                (f"<{at}{value}", lambda text: text < plain),
                (f"<={at}{value}", lambda text: text <= plain),
                (f">{at}{value}", lambda text: text > plain),
                (f">={at}{value}", lambda text: text >= plain),
                (f"{at}{value}..", lambda text: text >= plain),
                (f"..{at}{value}", lambda text: text <= plain),
            ]
        )
    )
    return operator, lambda text: means(fold(text))


def combined(children):
    pairs = st.tuples(children, children)
    return st.one_of(
        pairs.map(lambda p: (f"({p[0][0]}) | {p[1][0]}", lambda text: p[0][1](text) or p[1][1](text))),
        pairs.map(lambda p: (f"({p[0][0]}) & ({p[1][0]})", lambda text: p[0][1](text) and p[1][1](text))),
    )


expressions = st.recursive(comparisons(), combined, max_leaves=4)


@given(expressions)
@QUIET
def test_the_database_selects_what_the_expression_means(people, case):
    expression, means = case
    found = Contact.objects.filter(as_q({"city": expression}, None)).values_list("city", flat=True)
    assert sorted(found) == sorted(text for text in STORED if means(text)), expression


@given(st.sampled_from(sorted(FIELDS)), st.one_of(st.text(), st.text(LETTERS + "..''%me0123456789-", max_size=30)))
@QUIET
def test_no_text_whatever_breaks_the_parser(field, expression):
    try:
        condition = as_q({field: expression}, UserFactory.build(pk=1))
    except FilterError as error:
        assert error.field == field
        assert 0 <= error.position <= len(expression)
        assert error.message and error.pointer
    else:
        assert isinstance(condition, Q)
        assert Contact.objects.filter(condition).count() == 0


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40))
@QUIET
def test_a_literal_finds_exactly_its_text(people, text):
    found = Contact.objects.filter(as_q({"city": literal(text)}, None)).values_list("city", flat=True)
    assert set(found) == ({text} & set(STORED))


@given(
    expressions,
    st.sampled_from(["%me", "<>%me", "''", "<>S1", "S1..", "..K"]),
    st.sampled_from(["''", "<>CT1", "CT1.."]),
)
@QUIET
def test_all_clauses_hold_exactly_where_the_whole_filter_selects(people, city, salesperson, company):
    me = get_user_model().objects.first() or UserFactory()
    Contact.objects.filter(city__in=["a", "ab"]).update(salesperson=me)
    contact_filter = {"city": city[0], "salesperson": salesperson, "company": company, "name": " "}
    selected = set(Contact.objects.filter(as_q(contact_filter, me)))
    parts = clauses(contact_filter, me)
    assert [part.field.name for part in parts] == ["city", "salesperson", "company"]
    for contact in Contact.objects.filter(city__in=["a", "ab", "", "Æå"]):
        assert all(held_by(contact, parts)) == (contact in selected)
