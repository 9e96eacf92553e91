"""Derives the columns from which each column of a table is computed. Used when the manifest is written.

A column depends on the columns in its expression: the arguments of its functions, their FILTER and ORDER BY, and its
conditions. The PARTITION BY and ORDER BY of a window count only if its function has no column as an argument: a rank is
computed from its order. Joins, filters and groups select rows and are not a source of a column, so a column that counts
rows, or that is a constant, has no source. If a source cannot be derived, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlglot
from sqlglot import exp

from ecommerce_platform.tables.lineage import transform_path
from ecommerce_platform.tables.sql_reader import BOOKKEEPING, VIEWS, text_of_views

SCOPE = "scope"
"""The temporary table of the keys to recompute. It selects rows; no column of a table may come from it."""

Source = tuple[str, str]
"""A table, as schema.table, and one of its columns."""

Relation = Mapping[str, frozenset[Source]]
"""The columns of a table, view or subquery, in order, with what each is computed from."""


class LineageError(ValueError):
    """The sources of a column cannot be derived. The message names the table and the construct."""


def column_lineage(
    columns: Mapping[str, Sequence[str]], generated: Mapping[str, Mapping[str, str]], tables: Iterable[str]
) -> dict[str, dict[str, tuple[Source, ...]]]:
    """Return the sources of each column of some tables: by table, by column, sorted.

    Args:
        columns: the columns of every table of the layers (schema.table), in order.
        generated: the generated columns of each table, with their expressions.
        tables: the tables that have a transformation.

    Raises:
        LineageError: a source cannot be derived, or the columns of a SELECT are not those of its table.
    """
    views = relations_of_views(text_of_views(), columns)
    return {
        table: lineage_of_select(
            table, transform_path(table).read_text(encoding="utf-8"), columns, views, generated.get(table, {})
        )
        for table in tables
    }


def relations_of_views(ddl: str, columns: Mapping[str, Sequence[str]]) -> dict[str, Relation]:
    """Return the views that DDL creates, their columns resolved to those of tables. A view may read earlier views."""
    views: dict[str, Relation] = {}
    for statement in sqlglot.parse(ddl, dialect="postgres"):
        if isinstance(statement, exp.Create) and statement.kind == "VIEW":
            name = f"{statement.this.db}.{statement.this.name}"
            views[name] = _Reader(name, columns, views).query(statement.expression)
    return views


def lineage_of_select(
    table: str,
    select: str,
    columns: Mapping[str, Sequence[str]],
    views: Mapping[str, Relation],
    generated: Mapping[str, str] | None = None,
) -> dict[str, tuple[Source, ...]]:
    """Return the sources of each column of one table, in the order of the table's columns.

    The table's own previous content and the platform's bookkeeping are omitted, as in the lineage of tables.
    """
    reader = _Reader(table, columns, views)
    relation = dict(reader.query(sqlglot.parse_one(select, dialect="postgres")))
    own = _Sight({table: dict(relation)}, {}, None)
    for column, expression in (generated or {}).items():
        relation[column] = reader.sources(sqlglot.parse_one(expression, dialect="postgres"), own)
    if set(relation) != set(columns[table]):
        raise LineageError(
            f"{table}: its SELECT returns {', '.join(relation)}; its columns are {', '.join(columns[table])}"
        )
    for column, sources in relation.items():
        if any(source == SCOPE for source, _ in sources):
            raise LineageError(f"{table}.{column} comes from scope, which only selects rows: select it from its table")
    return {
        column: tuple(
            sorted(
                (source, name)
                for source, name in relation[column]
                if source != table and not source.startswith(f"{BOOKKEEPING}.")
            )
        )
        for column in columns[table]
    }


@dataclass(frozen=True)
class _Open:
    """A relation whose columns are unknown: bookkeeping, or the scope. Any column is assumed to exist."""

    name: str


@dataclass(frozen=True)
class _Sight:
    """What is visible to an expression: relations by alias, named windows, and what the outer query sees."""

    relations: Mapping[str, Relation | _Open]
    windows: Mapping[str, exp.Expr]
    around: _Sight | None


@dataclass(frozen=True)
class _Reader:
    """Reads the queries of one file."""

    table: str
    columns: Mapping[str, Sequence[str]]
    views: Mapping[str, Relation]
    with_names: Mapping[str, Relation] | None = None

    def query(self, node: exp.Expr, around: _Sight | None = None) -> Relation:
        """The columns of a SELECT, a UNION, a VALUES list, or one of these in parentheses."""
        reader = self
        if (names := node.args.get("with_")) is not None:
            for cte in names.expressions:
                known = {**(reader.with_names or {}), cte.alias: _renamed(reader.query(cte.this, around), cte)}
                reader = replace(reader, with_names=known)
        if isinstance(node, exp.Subquery):
            return reader.query(node.this, around)
        if isinstance(node, exp.SetOperation):
            return reader._joined(reader.query(node.left, around), [reader.query(node.right, around)])
        if isinstance(node, exp.Values):
            rows = [row.expressions for row in node.expressions]
            sight = _Sight({}, {}, around)
            first, *others = [
                {f"column{place}": reader.sources(value, sight) for place, value in enumerate(row, 1)} for row in rows
            ]
            return reader._joined(first, others)
        if isinstance(node, exp.Select):
            return reader._select(node, around)
        raise self._unknown(node)

    def _joined(self, first: Relation, others: Sequence[Relation]) -> Relation:
        if any(len(other) != len(first) for other in others):
            raise LineageError(f"{self.table}: the SELECTs of a UNION have different numbers of columns")
        rows = [list(other.values()) for other in others]
        return {
            name: sources.union(*(row[place] for row in rows)) for place, (name, sources) in enumerate(first.items())
        }

    def _select(self, node: exp.Select, around: _Sight | None) -> Relation:
        relations: dict[str, Relation | _Open] = {}
        first = node.args.get("from_")
        parts = [*([first.this] if first is not None else []), *(join.this for join in node.args.get("joins") or ())]
        for part in [*parts, *(node.args.get("laterals") or ())]:
            # A lateral part sees the parts before it.
            relations[part.alias_or_name] = self._part(part, _Sight(dict(relations), {}, around))
        windows = {window.name: window for window in node.args.get("windows") or ()}
        sight = _Sight(relations, windows, around)
        found: dict[str, frozenset[Source]] = {}
        for projection in node.expressions:
            is_star = isinstance(projection, exp.Star)
            if is_star or (isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star)):
                for alias in relations if is_star else [projection.table]:
                    found.update(self._all_of(relations[alias], alias))
            else:
                found[projection.alias_or_name] = self.sources(projection, sight)
        return found

    def _all_of(self, relation: Relation | _Open, alias: str) -> Relation:
        if isinstance(relation, _Open):
            raise LineageError(f"{self.table}: the columns of {alias} are unknown: list them instead of *")
        return relation

    def _part(self, node: exp.Expr, sight: _Sight) -> Relation | _Open:
        """A part of FROM."""
        if isinstance(node, exp.Subquery):
            return _renamed(self.query(node.this, sight), node)
        if isinstance(node, exp.Values):
            return _renamed(self.query(node, sight), node)
        if isinstance(node, exp.Lateral):
            if isinstance(node.this, exp.Subquery):
                return _renamed(self.query(node.this, sight), node)
            return self._rows_of_function(node, node.this, sight)
        if isinstance(node, exp.Table) and not isinstance(node.this, exp.Identifier):
            return self._rows_of_function(node, node.this, sight)
        if isinstance(node, exp.Table):
            return self._table(node)
        raise self._unknown(node)

    def _rows_of_function(self, node: exp.Expr, call: exp.Expr, sight: _Sight) -> Relation:
        """The columns of a set-returning function depend on its arguments."""
        names = node.args["alias"].columns if node.args.get("alias") is not None else ()
        if not names:
            raise LineageError(f"{self.table}: add column names to the alias of {call.sql('postgres')}")
        sources = self.sources(call, sight)
        return {column.name: sources for column in names}

    def _table(self, node: exp.Table) -> Relation | _Open:
        if not node.db:
            if node.name == SCOPE:
                return _Open(SCOPE)
            known = self.with_names or {}
            if node.name not in known:
                raise LineageError(f"{self.table}: {node.name} is neither a table nor a CTE")
            return known[node.name]
        name = f"{node.db}.{node.name}"
        if node.db == BOOKKEEPING:
            return _Open(name)
        if name in self.views:
            return self.views[name]
        if name not in self.columns:
            files = " or ".join(path.name for path in VIEWS)
            raise LineageError(f"{self.table}: {name} is neither a table of a layer nor a view in {files}")
        return {column: frozenset({(name, column)}) for column in self.columns[name]}

    def sources(self, node: exp.Expr, sight: _Sight) -> frozenset[Source]:
        """The columns that an expression depends on."""
        if isinstance(node, exp.Column):
            return self._column(node, sight)
        if isinstance(node, (exp.Subquery, exp.Query)):
            return frozenset[Source]().union(*self.query(node, sight).values())
        if isinstance(node, exp.Window):
            found = self.sources(node.this, sight)
            if found or node.this.find(exp.Column) is not None:
                return found
            return self._window(node, sight)
        return frozenset[Source]().union(*(self.sources(child, sight) for child in node.iter_expressions()))

    def _window(self, node: exp.Window, sight: _Sight) -> frozenset[Source]:
        """The columns by which a window, named or not, is partitioned and ordered."""
        parts = [*(node.args.get("partition_by") or ()), *filter(None, [node.args.get("order")])]
        found = frozenset[Source]().union(*(self.sources(part, sight) for part in parts))
        if not node.alias:
            return found
        if node.alias not in sight.windows:
            raise LineageError(f"{self.table}: window {node.alias} is not defined")
        named = sight.windows[node.alias]
        assert isinstance(named, exp.Window)
        return found | self._window(named, replace(sight, windows={}))

    def _column(self, node: exp.Column, sight: _Sight | None) -> frozenset[Source]:
        if sight is None:
            raise LineageError(
                f"{self.table}: {node.sql('postgres')} is not a column of any relation in its FROM clause"
            )
        if node.table:
            if node.table not in sight.relations:
                return self._column(node, sight.around)
            return self._of(sight.relations[node.table], node.name)
        closed = {alias: each for alias, each in sight.relations.items() if not isinstance(each, _Open)}
        holders = [each for each in closed.values() if node.name in each]
        if len(holders) > 1:
            raise LineageError(f"{self.table}: {node.name} is ambiguous: qualify it with its table")
        if holders:
            return holders[0][node.name]
        if node.name in closed:  # a whole row
            return frozenset[Source]().union(*closed[node.name].values())
        unknown = [each for each in sight.relations.values() if isinstance(each, _Open)]
        if len(unknown) == 1:
            return self._of(unknown[0], node.name)
        return self._column(node, sight.around)

    def _of(self, relation: Relation | _Open, column: str) -> frozenset[Source]:
        if isinstance(relation, _Open):
            return frozenset({(relation.name, column)})
        if column not in relation:
            raise LineageError(f"{self.table}: no relation in its FROM clause has a column {column}")
        return relation[column]

    def _unknown(self, node: exp.Expr) -> LineageError:
        return LineageError(
            f"{self.table}: column_lineage.py does not support {type(node).__name__}: {node.sql('postgres')[:200]}"
        )


def _renamed(relation: Relation, node: exp.Expr) -> Relation:
    """Rename the first columns to the names in an alias such as ``days (day)``."""
    alias = node.args.get("alias")
    names = [column.name for column in alias.columns] if alias is not None else []
    return dict(zip([*names, *list(relation)[len(names) :]], relation.values(), strict=True))
