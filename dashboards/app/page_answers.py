"""All that a page shows, computed from a snapshot: KPIs, charts, and the sentences about them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboards.app.annotations import Notes
from dashboards.app.answers import NO_NOTES, NO_TARGETS, Answers
from dashboards.app.chart_data import Answer, KpiAnswer
from dashboards.app.chart_insights import Sentence, chart_sentence
from dashboards.app.colors import with_colors
from dashboards.app.filters import View
from dashboards.app.insights import page_sentences
from dashboards.app.snapshot import Snapshot
from dashboards.app.targets import Targets
from dashboards.spec.page_types import Page


@dataclass(frozen=True)
class PageAnswers:
    """The KPIs and the charts of a page, by their IDs, with their sentences; the page's own are those of ""."""

    kpis: Mapping[str, KpiAnswer] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    sentences: Mapping[str, Sequence[Sentence]] = field(default_factory=dict)


def page_answers(
    snapshot: Snapshot,
    page: Page,
    view: View,
    last_day: dt.date | None = None,
    targets: Targets = NO_TARGETS,
    notes: Notes = NO_NOTES,
) -> PageAnswers:
    """All that a page shows for one view; see :class:`Answers`."""
    answers = Answers(snapshot, view, last_day, targets, notes)
    kpis = {kpi.id: answers.kpi(kpi) for kpi in page.kpis}
    charts = {visual.id: with_colors(answers.answer(visual), visual, snapshot) for visual in page.visuals}
    sentences: dict[str, Sequence[Sentence]] = {"": page_sentences(answers, page)}
    for visual in page.visuals:
        sentence = chart_sentence(visual, charts[visual.id])
        sentences[visual.id] = () if sentence is None else (sentence,)
    return PageAnswers(kpis, charts, sentences)
