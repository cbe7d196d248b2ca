"""Rows are fetched through the person's own, and no request says what is looked up by what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pairselect.api.models import Token
from tests import permissions
from tests.permissions import House

house = permissions.house
ROOT = Path(__file__).resolve().parent.parent.parent
# Rows that are some person's, or of a campaign that is some people's.
BOUND = {"Assignment", "Campaign", "Comparison", "Edit", "Flag", "Gold", "Judgement", "Machine",
         "Participation", "Preferences", "Replay", "Token", "User"}  # fmt: skip
FETCHES = {"get_object_or_404", "get_list_or_404", "aget_object_or_404"}
# Where a page or an operation that is not for admins alone names such a model itself, and why
# nobody reads by it what is not theirs.
ALLOWED = {
    ("annotate/views/compare.py", "_with_campaign", "Comparison"):
        "only for a campaign that `campaigns_known_to` has, which is asked before it is returned",
    ("annotate/views/preferences.py", "_store", "Preferences"): "the person's own, by their id",
    ("pairselect/api/views.py", "tokens", "Token"): "others' for admins alone",
    ("pairselect/api/views.py", "revoke_token", "Token"): "others' for admins alone",
    ("pairselect/api/routes/judging.py", "give_answer", "Judgement"):
        "by the lease under which this very request stored it",
    ("pairselect/api/routes/judging.py", "take_back", "Comparison"): "of the answer taken back",
    ("pairselect/api/routes/judging.py", "_machine", "Machine"): "the person's own",
    ("pairselect/api/routes/judging.py", "_campaign_of", "Campaign"): "assigned to the machine",
    ("pairselect/api/routes/judging.py", "_answered_by_machine", "Campaign"):
        "assigned to the machine",
}  # fmt: skip
ORM = {"filter", "exclude", "get", "order_by", "values", "values_list", "annotate", "alias",
       "extra", "raw", "only", "defer", "distinct", "select_related",
       "prefetch_related"}  # fmt: skip


def modules() -> list[Path]:
    """Where requests are answered."""
    views = [p for top in ("annotate", "pairselect") for p in (ROOT / top).rglob("*views*.py")]
    views += (ROOT / "annotate" / "views").glob("*.py")
    return sorted({*views, *(ROOT / "pairselect" / "api" / "routes").glob("*.py")})


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            yield node


def prepared(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Queries that are built once, with their names."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and "Prepared" in ast.unparse(node.value):
            yield ast.unparse(node.targets[0]), node.value


def is_for_admins(function: ast.FunctionDef) -> bool:
    """By its decorators: a page's `admin_required`, or an operation's token of an admin."""
    told = [ast.unparse(one) for one in function.decorator_list]
    pages = "admin_required" in told
    # `Bearer` and `Queues` are for admins unless they say otherwise; JUDGES says so.
    by_token = any(("auth=Bearer(" in one or "auth=Queues(" in one) for one in told)
    return pages or (by_token and not any("admin=False" in one for one in told))


def models_fetched(function: ast.AST) -> set[str]:
    """Person-bound models whose rows it looks up from all that there are."""
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and node.attr in ("objects", "_default_manager"):
            found.add(ast.unparse(node.value))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in FETCHES and node.args:
            found.add(ast.unparse(node.args[0]))
    return found & BOUND


def callers(name: str, path: Path) -> list[ast.FunctionDef]:
    return [
        one
        for one in functions(path)
        if any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(one))
    ]


def reached_by_admins_alone(function: ast.FunctionDef, path: Path) -> bool:
    """Directly, or as a helper that only such functions of its module call."""
    if is_for_admins(function):
        return True
    above = [one for one in callers(function.name, path) if one.name != function.name]
    helper = not function.decorator_list and function.name.startswith("_")
    return helper and bool(above) and all(reached_by_admins_alone(one, path) for one in above)


def test_rows_are_fetched_through_the_persons_own() -> None:
    found = {
        (str(path.relative_to(ROOT)), function.name, model)
        for path in modules()
        for function in functions(path)
        if not reached_by_admins_alone(function, path)
        for model in models_fetched(function)
    }
    found |= {
        (str(path.relative_to(ROOT)), name, model)
        for path in modules()
        for name, query in prepared(path)
        for model in models_fetched(query)
    }
    assert found == set(ALLOWED)


def test_the_check_sees_what_it_is_for() -> None:
    source = """
def page(request, pk):
    return get_object_or_404(Judgement, pk=pk)

@require_GET
@admin_required
def admins(request, pk):
    return helper(Flag.objects.get(pk=pk))
"""
    page, admins = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    assert models_fetched(page) == {"Judgement"}
    assert not is_for_admins(page)
    assert models_fetched(admins) == {"Flag"}
    assert is_for_admins(admins)


def test_no_request_names_what_is_looked_up() -> None:
    """Neither a column, nor a relation, nor an order comes from outside."""
    wrong = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ORM or "headers" in ast.unparse(node.func):
                continue
            if ast.unparse(node.func.value) in ("request.GET", "request.POST"):
                continue  # a form's own `get`
            spread = [ast.unparse(k.value) for k in node.keywords if k.arg is None]
            placed = [ast.unparse(one) for one in node.args]
            if any("request." in one for one in [*spread, *placed]):
                wrong.append(f"{path.name}: {ast.unparse(node)}")
    assert wrong == []


@pytest.mark.parametrize(
    "query",
    ["archived=1&password__startswith=a", "page=2&created_by__password__startswith=a",
     "order_by=created_by__password", "page=' OR 1=1 --", "page=9999999999999999999999", "page=-1",
     "ordering=-pk&filter=1", "archived=[]", "name__contains=a&name__contains=b"],
)  # fmt: skip
def test_lists_take_no_query_of_others(query: str, house: House) -> None:
    """What they do not know changes nothing of what is shown."""
    for address in ("/pools/", "/campaigns/", "/designs/", "/prompts/"):
        shown = house.send("admin", "GET", f"{address}?{query}").content.decode()
        plain = house.send("admin", "GET", address).content.decode()
        rows = 'class="number"'
        assert shown.count(rows) == plain.count(rows) or "archived=" in query, address


LEAKS = ["user__password__startswith=p", "user__password__regex=.", "digest__startswith=a",
         "created_by__password__startswith=p"]  # fmt: skip


@pytest.mark.parametrize("query", LEAKS)
def test_the_operators_lists_are_no_oracle(query: str, house: House) -> None:
    """Else a hash could be read letter by letter, by what a list shows and what not."""
    assert Token.objects.exists()
    response = house.send("operator", "GET", f"/admin/api/token/?{query}")
    assert response.status_code in (302, 400)  # led back to the list with all rows
    if response.status_code == 302:
        assert response.headers["Location"] == "/admin/api/token/?e=1"


@pytest.mark.parametrize("query", ["password__startswith=p", "password__regex=.", "password=x"])
def test_nor_the_list_of_accounts(query: str, house: House) -> None:
    response = house.send("operator", "GET", f"/admin/auth/user/?{query}")
    assert response.status_code in (302, 400)
