"""What a report of a population analysis is expected to have and this page has not, and why."""

from __future__ import annotations

from pkmodel.report.content import Items, Section, Text
from pkmodel.report.run_folder import Run
from pkmodel.report.subjects import Subjects

NEVER = (
    ("Prediction-corrected visual predictive check", "pkmodel does not make one."),
    (
        "Normalised prediction distribution errors (npde)",
        "pkmodel does not compute them; CWRES and their quantiles stand instead.",
    ),
    ("Base model and covariate search", "a run is one model; compare runs by their criteria."),
    (
        "Simulated exposure by age and weight band",
        "a run holds its own subjects only; nothing is simulated for this page.",
    ),
    (
        "Courses between the observations",
        "the run's files hold predictions at the times of the observations.",
    ),
)
OF_A_MAXIMUM = (
    (
        "Bootstrap or sampling importance resampling",
        "pkmodel does neither; intervals rest on the standard errors.",
    ),
)
OF_A_POSTERIOR = (
    (
        "AIC, BIC, standard errors, a test of the optimum",
        "a posterior is no maximum; pkmodel compare scores it by subjects left out.",
    ),
    (
        "Posterior predictive check",
        "pkmodel does not draw it; fit.nc holds posterior_predictive and prior_predictive, from "
        "which az.plot_ppc_dist does.",
    ),
)
COMPARE = "run pkmodel compare-groups FILE --out FOLDER, and report on that folder."


def absent_section(run: Run, subjects: Subjects) -> Section:
    """List what is absent, from the toolkit or from this run."""
    of_the_method = OF_A_POSTERIOR if run.document["posterior"] else OF_A_MAXIMUM
    items = [*NEVER, *of_the_method, *_of_this_run(run, subjects)]
    return Section(
        "absent",
        "Not in this report",
        (
            Text("Expected of such a report, and absent here:"),
            Items(tuple((what, why) for what, why in items)),
        ),
    )


def _of_this_run(run: Run, subjects: Subjects) -> list[tuple[str, str]]:
    document, out = run.document, []
    if document["covariance"] is None:
        why = "nothing was estimated." if document["status"] == "evaluated" else "not asked for."
        out.append(("Standard errors, intervals, correlations of the estimates", why))
    elif run.correlations is None:
        what = "draws, traces and ranks" if document["posterior"] else "estimates"
        out.append((f"Correlations of the {what}", "the folder holds no fit.nc."))
    if any("," not in name for name in document["occasion"]):
        out.append(("Figures of the effects between occasions", "pkmodel does not draw them."))
    if not subjects.group_names:
        out.append(
            ("Age groups", "the definition declares no [groups]; nothing is shown by age group.")
        )
    elif run.noncompartmental is None:
        out.append(("Noncompartmental exposure beside that of the model", COMPARE))
    if run.contrasts is None and subjects.group_names:
        out.append(("Comparison of the groups (forest plot)", COMPARE))
    return out
